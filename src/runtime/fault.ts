export type FaultCode = 'BAD_SETTINGS' | 'BAD_PAYLOAD' | 'OVER_LIMIT' | 'BUSY' | 'BAD_FILE' | 'BUG'

/** The one error class: a stable code, whether trying again may help, and the cause. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly code: FaultCode
  /** True when the sender should try the same bytes again. */
  readonly retryable: boolean

  constructor(code: FaultCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }

  /** Turns any thrown value into a Fault. Call it once, where the throw leaves our code. */
  static from(reason: unknown, code: FaultCode = 'BUG'): Fault {
    if (reason instanceof Fault) return reason
    return new Fault(code, reason instanceof Error ? reason.message : String(reason), { cause: reason })
  }
}
