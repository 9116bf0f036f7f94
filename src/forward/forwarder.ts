import { type Decomposition } from '../model/decomposition.ts'
import { type HeldBytes } from '../model/memory.ts'
import { Band, type CountedRequests } from '../model/requests.ts'
import { CloseReason, type SpanBatch, type TraceColumns, Unplaced } from '../model/spans.ts'
import { type Counters, createCounters } from '../runtime/counters.ts'
import { createArrivals, type SpansOfScope } from './arrivals.ts'
import { AttributeResult, forwarderCounters, ForwardResult, forwardResults } from './counters.ts'
import { createEnrichment } from './enrichment.ts'
import { createChunkBuffers } from './chunk-buffers.ts'
import { createEnvelopes } from './envelopes.ts'
import { jsonToProtobuf } from './json-to-protobuf.ts'
import { type Chunk, createOutbox, type Outbox } from './outbox.ts'
import { createRecentTraces } from './recent-traces.ts'
import { type RowRequests } from './row-requests.ts'
import { hasValidIds } from './senders-span.ts'
import { type ForwarderSettings, type Send } from './settings.ts'
import { createSpanStore, type StoredRows } from './span-store.ts'

export interface ForwarderTools {
  /** Takes an export request that is ready to be sent. */
  readonly next: (send: Send, chunk: Chunk) => void
  /** Of several threads: notes the spans that were accepted, which another one holds. Those that were refused go on from here. */
  readonly rowRequests?: RowRequests
}

/** A body that was just decoded, and where in it spans were refused. */
export interface Arrived {
  readonly body: Uint8Array
  readonly encoding: 'json' | 'protobuf'
  readonly rejected: number
  readonly places: readonly number[]
}

/**
 * Keeps the bytes of every span until its trace is counted, then passes them on with what was found of them:
 *
 *   arrived -> held -> counted -> (batch) -> next
 *                `---- late, over a limit, short of memory: as they came ----^
 */
export interface Forwarder {
  /** Whether spans wait for their trace to be counted; without, they go on as they arrive. */
  readonly waits: boolean
  /** Holds the spans of a body and writes into the batch where they are. */
  readonly arrived: (arrived: Arrived, batch: SpanBatch) => void
  /** Passes a counted trace on. */
  readonly counted: (result: Decomposition, found: CountedRequests) => void
  /** Passes on spans of which nothing is known: `failed`, or else late. */
  readonly uncounted: (trace: TraceColumns, failed: boolean) => void
  /** As AssembleNext.unplaced. */
  readonly unplaced: (held: number, high: number, low: number, why: number) => void
  /** Passes about so many bytes of held spans on as they came; gives how many are free now. */
  readonly relieve: (bytes: number) => number
  /** A request was delivered: its memory may be used for another. */
  readonly reuse: (bytes: Buffer) => void
  readonly tick: (nowMs: number) => void
  /** Passes on what waits for more. */
  readonly flush: () => void
  readonly shutdown: () => void
  readonly counters: Counters<typeof forwarderCounters>
  readonly memory: () => HeldBytes
  /** Not yet handed on. */
  readonly spans: () => number
}

/** Half of what a burst needed is let go of in 45 seconds: the next one may come with the minute. */
const TRIM_EVERY_MS = 2_000

export function createForwarder(settings: ForwarderSettings, { next, rowRequests }: ForwarderTools): Forwarder {
  const { batchBytesMax, batchDelayMs, enrichedSpansMax, tailOf } = settings
  const counters = createCounters(forwarderCounters)
  const envelopes = createEnvelopes()
  const store = createSpanStore({ bytesMax: settings.heldBytesMax, envelopes, evict })
  const boxes: Partial<Record<Send, Outbox>> = {}
  const buffers = createChunkBuffers(batchBytesMax)
  for (const send of settings.sends) boxes[send] = createOutbox({ store, envelopes, buffers })
  const { all, tail } = boxes
  const arrivals = createArrivals(envelopes)
  const enrichment = createEnrichment(settings.enrich)
  const { writer } = enrichment
  const waits = waitsForTraces(settings)
  const recentTails = createRecentTraces()
  let flushAtMs = 0
  let trimAtMs = 0
  /** Rows of the trace at hand whose bytes are still held. */
  let isThere = new Uint8Array(64)

  const tally = new Float64Array(forwardResults.length)
  const handled = (how: number): void => {
    tally[how] = (tally[how] as number) + 1
  }

  function countTally(): void {
    for (let how = 0; how < tally.length; how++) {
      if (tally[how] !== 0) counters.add('tail_forward_handled_total', tally[how], how)
    }
    tally.fill(0)
    if (writer.written > 0) counters.add('tail_forward_attributes_total', writer.written, AttributeResult.added)
    if (writer.blocked > 0) counters.add('tail_forward_attributes_total', writer.blocked, AttributeResult.sendersOwn)
    writer.written = 0
    writer.blocked = 0
  }

  function trim(nowMs: number): void {
    if (nowMs < trimAtMs && trimAtMs - nowMs <= TRIM_EVERY_MS) return
    trimAtMs = nowMs + TRIM_EVERY_MS
    buffers.trim()
    store.trim()
  }

  /** All at once, because what is added to their spans lies together. */
  function flush(): void {
    for (const send of settings.sends) {
      const box = boxes[send]
      if (box !== undefined && box.spans() > 0) next(send, box.flush(writer.bytes))
    }
    writer.clear()
  }

  /** Hands on the waiting span that the store was asked for last. What is added to it was written from `addedFrom` on. */
  function send(handle: number, isTail: boolean, how: number, addedFrom = writer.at): void {
    const toTail = isTail && tail !== undefined
    if (all === undefined && !toTail) {
      store.release(handle)
      handled(how === ForwardResult.undecided ? how : ForwardResult.notWanted)
      return
    }
    handled(how)
    store.handOn(handle, all !== undefined && toTail ? 2 : 1)
    all?.add(handle, addedFrom, writer.at)
    if (toTail) tail.add(handle, addedFrom, writer.at)
    if ((all?.size() ?? 0) >= batchBytesMax || (tail?.size() ?? 0) >= batchBytesMax) flush()
  }

  function evict(handles: readonly number[]): void {
    // What waits in a box already is counted, and goes on as it is there.
    flush()
    const how = all === undefined ? ForwardResult.undecided : ForwardResult.memory
    for (const handle of handles) {
      if (!store.isWaiting(handle)) continue
      store.look(handle)
      send(handle, false, how)
    }
    flush()
    countTally()
  }

  let batch: SpanBatch | undefined
  let row = 0
  let refused = 0
  let places: readonly number[] = []
  /** Without knowing which were refused, those that can go on go as they came. */
  let isKnown = true
  /** Nobody asks for a refused span by its id. */
  const refusedRow: StoredRows = { ids: new Uint32Array(2), handles: new Uint32Array(1), row: 0 }

  function onSpans(spans: SpansOfScope): void {
    if (batch === undefined) return
    for (let i = 0; i < spans.count;) {
      const accepted = isKnown ? Math.min(batch.n, places[refused] ?? Infinity) - row : 0
      const end = Math.min(spans.count, i + accepted)
      if (end === i) refuse(spans, i++)
      else {
        keep(spans, i, end, batch)
        row += end - i
        i = end
      }
    }
  }

  function keep(spans: SpansOfScope, from: number, end: number, { spanId, held }: SpanBatch): void {
    if (rowRequests !== undefined) {
      rowRequests.note(spans, from, end)
      return
    }
    store.put(spans, from, end, { ids: spanId, handles: held, row })
    for (let at = row; at < row + end - from; at++) {
      const handle = held[at] as number
      if (handle === 0) handled(ForwardResult.tooLarge)
      if (waits || handle === 0) continue
      held[at] = 0
      // Those behind it may have needed its room.
      if (store.find(handle, spanId[2 * at] as number, spanId[2 * at + 1] as number)) {
        send(handle, false, ForwardResult.plain)
      }
    }
  }

  function refuse(spans: SpansOfScope, i: number): void {
    refused += 1
    if (!hasValidIds(spans.source, spans.places[2 * i] as number, spans.places[2 * i + 1] as number)) {
      handled(ForwardResult.withoutIds)
      return
    }
    store.put(spans, i, i + 1, refusedRow)
    const [handle = 0] = refusedRow.handles
    if (handle === 0) handled(ForwardResult.tooLarge)
    else {
      store.look(handle)
      send(handle, false, ForwardResult.refused)
    }
  }

  function arrived({ body, encoding, rejected, places: refusedAt }: Arrived, into: SpanBatch): void {
    const request = encoding === 'json' ? translated(body) : bufferOf(body)
    into.held.fill(0, 0, into.n)
    if (request === undefined) return
    batch = into
    row = 0
    refused = 0
    places = refusedAt
    isKnown = rejected === refusedAt.length
    rowRequests?.begin(request)
    arrivals.walk(request, onSpans)
    batch = undefined
    countTally()
  }

  function translated(body: Uint8Array): Buffer | undefined {
    try {
      return jsonToProtobuf(body)
    } catch {
      counters.add('tail_forward_untranslated_total')
      return undefined
    }
  }

  function isOfTail({ rootRequest, requests }: Decomposition, { band, over }: CountedRequests): boolean {
    const isSlow = (i: number): boolean => band[i] === Band.gtP99 || over[i] === 1
    if (tailOf === 'root') return rootRequest >= 0 && isSlow(rootRequest)
    for (let i = 0; i < requests.n; i++) if (isSlow(i)) return true
    return false
  }

  /** In a loop of its own, because it waits for memory: nothing was closer by since the spans came, and several are waited for at once. */
  function findSpans({ n, held, spanId }: TraceColumns): void {
    if (isThere.length < n) isThere = new Uint8Array(2 * n)
    for (let row = 0; row < n; row++) {
      const handle = held[row] as number
      const found = handle !== 0 && store.find(handle, spanId[2 * row] as number, spanId[2 * row + 1] as number)
      isThere[row] = found ? 1 : 0
    }
  }

  function counted(result: Decomposition, found: CountedRequests): void {
    const { trace } = result
    const { held } = trace
    let isTail = false
    if (tail !== undefined) {
      isTail = isOfTail(result, found) || (trace.closedBy === CloseReason.lateUnit && recentTails.has(trace.traceId))
      if (isTail) recentTails.add(trace.traceId)
    }
    if (isTail || all !== undefined) enrichment.begin(result, found)
    let left = enrichedSpansMax
    findSpans(trace)
    for (let row = 0; row < trace.n; row++) {
      if (isThere[row] === 0) continue
      const handle = held[row] as number
      store.look(handle)
      if (!isTail && all === undefined) send(handle, false, ForwardResult.notWanted)
      else if (!enrichment.concerns(row)) send(handle, isTail, ForwardResult.plain)
      else if (left === 0) {
        counters.add('tail_forward_attributes_total', 1, AttributeResult.overLimit)
        send(handle, isTail, ForwardResult.plain)
      } else {
        left -= 1
        const { bytes, at, length } = store.found
        const addedFrom = writer.at
        enrichment.write(row, bytes, at, at + length)
        const how = writer.at > addedFrom ? ForwardResult.enriched : ForwardResult.plain
        send(handle, isTail, how, addedFrom)
      }
    }
    countTally()
  }

  function uncounted({ n, held, spanId, traceId }: TraceColumns, failed: boolean): void {
    const isTail = tail !== undefined && recentTails.has(traceId)
    for (let row = 0; row < n; row++) {
      const handle = held[row] as number
      if (handle === 0 || !store.find(handle, spanId[2 * row] as number, spanId[2 * row + 1] as number)) continue
      send(handle, isTail, failed ? ForwardResult.fault : ForwardResult.late)
    }
    countTally()
  }

  return {
    waits,
    arrived,
    counted,
    uncounted,
    unplaced(held, high, low, why) {
      if (held === 0 || !store.find(held, high, low)) return
      if (why === Unplaced.overLimit) send(held, false, ForwardResult.overLimit)
      else {
        store.release(held)
        if (why === Unplaced.duplicate) handled(ForwardResult.duplicate)
      }
      countTally()
    },
    relieve(bytes) {
      const spare = buffers.bytes()
      buffers.clear()
      return spare + (spare < bytes ? store.relieve(bytes - spare) : 0)
    },
    reuse: buffers.giveBack,
    tick(nowMs) {
      trim(nowMs)
      if (nowMs < flushAtMs && flushAtMs - nowMs <= batchDelayMs) return
      flushAtMs = nowMs + batchDelayMs
      flush()
    },
    flush,
    shutdown: flush,
    counters,
    spans: store.spans,
    memory: () => ({
      forward_held: store.bytes(),
      forward_scratch:
        (all?.bytes() ?? 0) + (tail?.bytes() ?? 0) + arrivals.bytes() + enrichment.bytes() + buffers.bytes()
    })
  }
}

/** With nothing to add and nothing to choose, no span has to wait. */
export function waitsForTraces({ enrich, sends }: Pick<ForwarderSettings, 'enrich' | 'sends'>): boolean {
  return enrich.length > 0 || sends.includes('tail')
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
