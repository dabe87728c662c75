/** The stable code of every error that a caller may receive; the contract lists them. */
export type ErrorCode =
  | 'unauthorized'
  | 'invalid-request'
  | 'payload-too-large'
  | 'not-found'
  | 'session-not-found'
  | 'session-deleted'
  | 'conflict'
  | 'rate-limited'
  | 'session-manager-error'
  | 'session-manager-timeout'
  | 'not-ready';

/** An error of the domain. Adapters turn it into HTTP answers, exit codes or log lines. */
export class SandmanError extends Error {
  override readonly name: string = 'SandmanError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}

/** An error about input that does not have the form that the contract requires; `field` names the input. */
export class InvalidInput extends SandmanError {
  override readonly name = 'InvalidInput';
  readonly field: string;

  constructor(field: string, expectation: string) {
    super('invalid-request', `${field} ${expectation}`);
    this.field = field;
  }
}
