/** What a record of the segment log is: an export request as it was taken, or what became of earlier ones. */
export const RecordType = {
  tracesProtobuf: 1,
  tracesJson: 2,
  metricsProtobuf: 3,
  metricsJson: 4,
  /** Traces that were counted. */
  counted: 16,
  /** What of them is settled for good. */
  checkpoint: 17,
  /** A process began to read the log ... */
  started: 18,
  /** ... and was ready. */
  recovered: 19
} as const

const requests: ReadonlyMap<number, RequestKind> = new Map([
  [RecordType.tracesProtobuf, { signal: 'traces', encoding: 'protobuf' }],
  [RecordType.tracesJson, { signal: 'traces', encoding: 'json' }],
  [RecordType.metricsProtobuf, { signal: 'metrics', encoding: 'protobuf' }],
  [RecordType.metricsJson, { signal: 'metrics', encoding: 'json' }]
])

export interface RequestKind {
  readonly signal: 'traces' | 'metrics'
  readonly encoding: 'protobuf' | 'json'
}

/** Undefined when a record is no request. */
export function requestKind(type: number): RequestKind | undefined {
  return requests.get(type)
}

export function requestType({ signal, encoding }: RequestKind): number {
  if (signal === 'traces') return encoding === 'json' ? RecordType.tracesJson : RecordType.tracesProtobuf
  return encoding === 'json' ? RecordType.metricsJson : RecordType.metricsProtobuf
}

/**
 * Counted traces are in two lanes, each settled in its order: those that the next scrape shows, and those of operations so
 * new that their series still show 0 (expose.zero_first).
 */
export const Lane = { shown: 0, hidden: 1 } as const
export const LANES = 2

/**
 * A record of counted traces: its lane and how many of that lane were counted before its first (doubles), then for each its id (16 bytes), the
 * sequence up to which its spans were (double) and into how many parts it was counted (32 bits). Lowest byte first.
 */
export const COUNTED_HEAD_BYTES = 16
export const ENTRY_BYTES = 28

export interface CountedEntry {
  /** Four words. */
  readonly traceId: Uint32Array
  readonly last: number
  readonly parts: number
}

export function writeEntry(into: Buffer, at: number, { traceId, last, parts }: CountedEntry): void {
  for (let word = 0; word < 4; word++) into.writeUInt32LE(traceId[word] as number, at + word * 4)
  into.writeDoubleLE(last, at + 16)
  into.writeUInt32LE(parts, at + 24)
}

/** Reads a trace's id into `traceId`, and gives the rest. */
export function readEntry(from: Buffer, at: number, traceId: Uint32Array): CountedEntry {
  for (let word = 0; word < 4; word++) traceId[word] = from.readUInt32LE(at + word * 4)
  return { traceId, last: from.readDoubleLE(at + 16), parts: from.readUInt32LE(at + 24) }
}

export function readCountedHead(payload: Buffer): { readonly lane: number; readonly before: number } {
  return { lane: payload.readDoubleLE(0) === Lane.hidden ? Lane.hidden : Lane.shown, before: payload.readDoubleLE(8) }
}

export function entriesOf(payload: Buffer): number {
  return Math.max(0, Math.floor((payload.length - COUNTED_HEAD_BYTES) / ENTRY_BYTES))
}

export interface Checkpoint {
  /** How many of the counted traces of each lane, from the first ever, are settled: they were in a scrape that was served. */
  readonly settled: readonly number[]
  /** No request before this sequence has a span of a trace that is not. */
  readonly oldest: number
  /** All spans of requests before this sequence are passed on; Infinity when nothing was said. */
  readonly passedBefore: number
}

export function checkpointPayload({ settled, oldest, passedBefore }: Checkpoint): Buffer {
  const payload = Buffer.alloc((LANES + 2) * 8)
  for (let lane = 0; lane < LANES; lane++) payload.writeDoubleLE(settled[lane] as number, lane * 8)
  payload.writeDoubleLE(oldest, LANES * 8)
  payload.writeDoubleLE(passedBefore, (LANES + 1) * 8)
  return payload
}

export function readCheckpoint(payload: Buffer): Checkpoint {
  const settled = Array.from({ length: LANES }, (_, lane) => payload.readDoubleLE(lane * 8))
  const oldest = payload.readDoubleLE(LANES * 8)
  // Written since queues are on disk.
  const passedAt = (LANES + 1) * 8
  const passedBefore = payload.length > passedAt ? payload.readDoubleLE(passedAt) : Infinity
  return { settled, oldest, passedBefore }
}
