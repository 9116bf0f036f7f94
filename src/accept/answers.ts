import { bytesField, numberField, textField } from './protobuf-writer.ts'
import { shortened, type Encoding } from './status.ts'

/** What the decoder and those behind it made of a body: how many spans or points they refused, and why. */
export interface Verdict {
  readonly rejected: number
  readonly message: string
  /** Whether what was taken is kept as the sender was promised; it is answered when this is known. */
  readonly kept?: Promise<boolean>
  /** The body must stay as it is until then. */
  readonly holdsBody?: boolean
}

export const signals = ['traces', 'metrics'] as const
export type Signal = (typeof signals)[number]

/** A response must stay far below the 4 MiB that senders read. */
const MESSAGE_BYTES_MAX = 4096
const EMPTY = Buffer.alloc(0)
const EMPTY_JSON = Buffer.from('{}')
const rejectedKeys = { traces: 'rejectedSpans', metrics: 'rejectedDataPoints' } as const

/** Export…ServiceResponse. partial_success must be unset when all went well: an empty message. */
export function answerOf(signal: Signal, verdict: Verdict, encoding: Encoding): Buffer {
  if (verdict.rejected === 0 && verdict.message === '') return encoding === 'json' ? EMPTY_JSON : EMPTY
  const message = shortened(verdict.message, MESSAGE_BYTES_MAX)
  if (encoding === 'protobuf') {
    return bytesField(1, Buffer.concat([numberField(1, verdict.rejected), textField(2, message)]))
  }
  const partialSuccess = { [rejectedKeys[signal]]: String(verdict.rejected), errorMessage: message }
  return Buffer.from(JSON.stringify({ partialSuccess }))
}
