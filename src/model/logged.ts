/** An export request as the segment log holds it. */
export interface LoggedRequest {
  readonly signal: 'traces' | 'metrics'
  readonly encoding: 'protobuf' | 'json'
  /** Decompressed; valid until it has been taken. */
  readonly body: Uint8Array
  readonly sequence: number
  /** When it was taken. */
  readonly atMs: number
  /** An earlier process passed its spans on, and they will not be lost. */
  readonly passedOn: boolean
}

/** Up to which sequence the spans of the trace whose id is at ids[at] were counted and scraped; -1 = none of them. */
export type SettledThrough = (ids: Uint32Array, at: number) => number
