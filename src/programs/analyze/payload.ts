export type Signal = 'traces' | 'metrics' | 'logs'
export type Encoding = 'protobuf' | 'json'

/** One export request out of a file, or a part of one too large to hold. `bytes` is valid until the next payload is asked for. */
export interface Payload {
  readonly signal: Signal
  readonly encoding: Encoding
  readonly bytes: Uint8Array
  /** Where in the file it began: `line 12` or `byte 4096`. */
  readonly where: string
}

/** Something in a file that could not be used. */
export interface FileProblem {
  readonly where: string
  readonly message: string
}

/** A request is cut into parts of about this size, each of which names its resource and scope again. */
export const PART_BYTES = 16 * 1024 ** 2
/** What cannot be cut (one span, or a document that is not OTLP) may be this large. */
export const UNCUT_BYTES_MAX = 256 * 1024 ** 2
