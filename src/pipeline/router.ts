import {
  addWhole,
  type Cargo,
  createProtobufScan,
  createSplitter,
  type DecoderLimits,
  groupBytes,
  onlyShardOf,
  shardOf
} from '../accept/index.ts'
import { type RowRequests } from '../forward/index.ts'
import { type LoggedRows } from '../model/logged.ts'
import { type SpanBatch } from '../model/spans.ts'
import { freeMemory } from '../runtime/free-memory.ts'
import { packRows, type PackedRows } from './rows.ts'

/** Few, large messages: a message costs as much as copying 50 KiB. */
const CARGO_BYTES = 1024 ** 2
/** No span is shorter: its ids and times alone are more. */
const SPAN_BYTES_MIN = 40
/** Empty buffers kept for each shard. */
const SPARE_PER_SHARD = 4

/** Shares spans out to shards by their trace. */
export interface Router {
  /** Takes a whole body; false where only the decoder can say what its sender is to be told, and then nothing is taken. */
  readonly takeBytes: (body: Uint8Array, nowMs: number, sequence?: number) => boolean
  /** Takes spans that were decoded here, and as bytes where they go on. */
  readonly takeRows: (batch: SpanBatch, requests?: Pick<RowRequests, 'requestOf'>, sequence?: number) => void
  /** Sends what is gathered. */
  readonly flush: () => void
  /** A buffer that a shard is done with. */
  readonly giveBack: (bytes: ArrayBuffer, order: ArrayBuffer) => void
  readonly bytes: () => number
}

export interface RouterNext {
  /** `logged`: of which requests of the segment log they are; undefined without one. */
  readonly spans: (shard: number, cargo: Cargo, logged: LoggedRows | undefined) => void
  readonly rows: (shard: number, rows: PackedRows, request: ArrayBuffer | undefined, sequence: number) => void
  /** Throws a Fault when a shard that the body concerns has no room for so many bytes. */
  readonly admit: (shard: number, bytes: number) => void
}

export interface RouterOptions {
  readonly shards: number
  readonly seed: number
  readonly limits: Pick<DecoderLimits, 'futureMaxMs' | 'spanAgeMaxMs'>
  /** Spans that were shared out so far, where several routers do it in turn. Wraps. */
  readonly came?: { spans: number }
}

export function createRouter(options: RouterOptions, next: RouterNext): Router {
  const { shards, came = { spans: 0 } } = options
  const { isPlain, found } = createProtobufScan(options)
  const { split } = createSplitter(shards)
  const spare: { bytes: ArrayBuffer; order: ArrayBuffer }[] = []
  const cargos = Array.from({ length: shards }, emptyCargo)
  const chosen: number[][] = Array.from({ length: shards }, () => [])
  const logged = new Array<LoggedRows | undefined>(shards).fill(undefined)

  /** Without buffers until there is something to load. */
  function emptyCargo(): Cargo {
    return { bytes: new Uint8Array(0), length: 0, order: new Uint32Array(0), spans: 0 }
  }

  function send(shard: number): void {
    const cargo = cargos[shard] as Cargo
    if (cargo.spans === 0) return
    cargos[shard] = emptyCargo()
    const rows = logged[shard]
    logged[shard] = undefined
    next.spans(shard, cargo, rows)
  }

  /** What was added last to the cargo of a shard came with this request. */
  function noteRequest(shard: number, sequence: number): void {
    const rows = (logged[shard] ??= { ends: [], sequences: [] })
    rows.ends.push((cargos[shard] as Cargo).spans)
    rows.sequences.push(sequence)
  }

  /** Room for so many more bytes, in this cargo or the next. */
  function makeRoom(shard: number, bytes: number): Cargo {
    if ((cargos[shard] as Cargo).bytes.length < (cargos[shard] as Cargo).length + bytes) send(shard)
    const cargo = cargos[shard] as Cargo
    if (cargo.bytes.length > 0) return cargo
    const pooled = bytes <= CARGO_BYTES ? spare.pop() : undefined
    const size = Math.max(bytes, CARGO_BYTES)
    cargo.bytes = new Uint8Array(pooled?.bytes ?? new ArrayBuffer(size))
    cargo.order = new Uint32Array(pooled?.order ?? new ArrayBuffer(4 * Math.ceil(size / SPAN_BYTES_MIN)))
    return cargo
  }

  function takePlain(body: Uint8Array, sequence: number): void {
    const only = onlyShardOf(found)
    const fields = only < 0 ? groupBytes(found) : 0
    for (let shard = 0; shard < shards; shard++) {
      const bytes = found.shardBytes[shard] as number
      if (bytes > 0) next.admit(shard, bytes + fields)
    }
    if (only >= 0) addWhole(makeRoom(only, body.length), body, found.spans, came.spans)
    else {
      for (let shard = 0; shard < shards; shard++) {
        const bytes = found.shardBytes[shard] as number
        if (bytes > 0) makeRoom(shard, bytes + fields)
      }
      split(body, found, cargos, came.spans)
    }
    came.spans = (came.spans + found.spans) >>> 0
    if (sequence === 0) return
    for (let shard = 0; shard < shards; shard++)
      if ((found.shardBytes[shard] as number) > 0) noteRequest(shard, sequence)
  }

  return {
    takeBytes(body, nowMs, sequence = 0) {
      if (!isPlain(body, nowMs)) return false
      if (found.spans > 0) takePlain(body, sequence)
      return true
    },
    takeRows(batch, requests, sequence = 0) {
      for (const rows of chosen) rows.length = 0
      for (let row = 0; row < batch.n; row++) {
        const shard = shardOf(batch.traceId[4 * row + 2] as number, batch.traceId[4 * row + 3] as number, options)
        chosen[shard]?.push(row)
      }
      for (const [shard, rows] of chosen.entries()) {
        if (rows.length === 0) continue
        // What came before must arrive before.
        send(shard)
        next.rows(shard, packRows(batch, rows, came.spans), requests?.requestOf(rows)?.buffer, sequence)
      }
      came.spans = (came.spans + batch.n) >>> 0
    },
    flush() {
      for (let shard = 0; shard < shards; shard++) send(shard)
    },
    giveBack(bytes, ofOrder) {
      if (bytes.byteLength === CARGO_BYTES && spare.length < shards * SPARE_PER_SHARD) {
        spare.push({ bytes, order: ofOrder })
        return
      }
      freeMemory(bytes)
      freeMemory(ofOrder)
    },
    bytes: () =>
      spare.length * CARGO_BYTES * (1 + 4 / SPAN_BYTES_MIN) +
      cargos.reduce((sum, { bytes, order: of }) => sum + bytes.length + of.byteLength, 0)
  }
}
