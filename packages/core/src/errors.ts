/** The stable codes of the domain's errors. `packages/contracts` adds those that only HTTP needs. */
export type ErrorCode =
  | 'invalid-request'
  | 'session-not-found'
  | 'session-deleted'
  | 'conflict'
  | 'kept'
  | 'session-manager-error'
  | 'session-manager-timeout';

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
