/** An export request as the segment log holds it. */
export interface LoggedRequest {
  readonly signal: 'traces' | 'metrics'
  readonly encoding: 'protobuf' | 'json'
  /** Decompressed; valid until it has been taken. */
  readonly body: Uint8Array
  readonly sequence: number
  /** An earlier process passed its spans on, and they will not be lost. */
  readonly passedOn: boolean
}

/** Of which requests the rows of a batch are: those before `ends[i]`, and of none before it, are of the request `sequences[i]`. */
export interface LoggedRows {
  readonly ends: number[]
  readonly sequences: number[]
}

/** Up to which sequence the spans of the trace whose id is at ids[at] were counted and scraped; -1 = none of them. */
export type SettledThrough = (ids: Uint32Array, at: number) => number

/** What is settled of the log's traces, in memory that other threads can read. */
export interface SettledTable {
  readonly through: SettledThrough
  readonly shared: () => SharedArrayBuffer
}
