/** Every error that a caller may be told of, by its stable code (the contract's list). */
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

/** A failure that belongs to the domain. Adapters turn it into HTTP, exit codes or log lines. */
export class SandmanError extends Error {
  override readonly name: string = 'SandmanError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}

/** Input that is not of the form the contract gives; `field` says which. */
export class InvalidInput extends SandmanError {
  override readonly name = 'InvalidInput';
  readonly field: string;

  constructor(field: string, expectation: string) {
    super('invalid-request', `${field} ${expectation}`);
    this.field = field;
  }
}
