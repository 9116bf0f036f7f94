import { createDecoderCounters, createSpanDecoder, type DecoderTools, type Refusals } from '../accept/index.ts'
import { type Decomposer, writeRules } from '../decompose/index.ts'
import { type Forwarder, type ForwarderTools, type RowRequests } from '../forward/index.ts'
import { Fault } from '../runtime/fault.ts'
import { type SharedMemory } from '../runtime/shared-memory.ts'
import { type OtherHolders } from '../runtime/sweeper.ts'
import { type WorldLock } from '../runtime/world-lock.ts'
import { type Settings } from '../settings/settings.ts'
import { createFindingsCounter, type FindingsNext } from './findings-counter.ts'
import { shardHeapMib } from './limits.ts'
import { createRounds } from './rounds.ts'
import { createRouter } from './router.ts'
import { bytesOfRows } from './rows.ts'
import { createShardCounters } from './shard-counters.ts'
import { createShardThread, type ShardThread } from './shard-thread.ts'
import { type Shards } from './shards.ts'

/** Spans that have come do not wait longer than this for their shard. */
const FLUSH_MS = 5
/** Bytes on their way to one shard; beyond it senders are told to come back. */
const CREDIT_BYTES = 16 * 1024 ** 2
/** How long a change of what all see may hold up this thread. */
const ALONE_MS_MAX = 20

const nothingRefused: Refusals = { rejected: 0, byReason: new Uint32Array(0), places: [], message: '' }

export interface ThreadsParts {
  readonly memory: SharedMemory
  readonly world: WorldLock
  readonly decoder: DecoderTools & { readonly limits: { readonly futureMaxMs: number; readonly spanAgeMaxMs: number } }
  readonly decompose: Pick<Decomposer, 'wants'>
  readonly seed: number
  readonly log: { readonly error: (fields: object, message: string) => void }
  readonly nowMs: () => number
  /** Where spans go on to, if they do. */
  readonly sendOn: ForwarderTools['next'] | undefined
  /** Passes on what was refused of bodies that were decoded here. */
  readonly forward: Forwarder | undefined
  /** What it says of the others. */
  readonly rowRequests: RowRequests | undefined
  readonly roundOver: (nowMs: number) => void
}

export interface Threads extends Shards {
  /** For sweeping names. */
  readonly holders: OtherHolders
}

/** `workers` above 1: shards in threads of their own. This thread finds out whose the spans are, and counts what the shards find. */
export function createThreads(settings: Settings, parts: ThreadsParts, next: FindingsNext): Threads {
  const count = settings.workers
  const counters = createShardCounters(count)
  const decoderCounters = createDecoderCounters()
  /** All that ever were in force, in that order: threads that begin later must give out the same numbers. */
  const rules = new Set([writeRules(settings.decompose.rules)])
  let rulesNow = writeRules(settings.decompose.rules)
  const findings = createFindingsCounter(next, parts.nowMs)
  const unmarked = new Set<number>()
  let spans = ownDecoder()
  let lastMs = parts.nowMs()
  let flushTimer: NodeJS.Timeout | undefined

  const rounds = createRounds(count, {
    begin(shard, phase, nowMs, last) {
      const thread = threadOf(shard)
      if (thread.isRunning()) thread.begin(phase, nowMs, last)
      return thread.isRunning()
    },
    count(found) {
      findings.count(found.map((one) => one.findings))
    },
    over: parts.roundOver,
    onBehind: counters.behind,
    onHung(shard) {
      threadOf(shard).giveUp('hung')
    }
  })
  const threads = Array.from({ length: count }, (_, shard) => startThread(shard))
  const router = createRouter(
    { shards: count, seed: parts.seed, limits: parts.decoder.limits },
    {
      spans(shard, { bytes, length, order, spans: n }) {
        load(
          shard,
          { spans: n, length },
          { kind: 'spans', bytes: bytes.buffer, length, order: order.buffer, spans: n, nowMs: lastMs }
        )
      },
      rows(shard, rows, request) {
        load(
          shard,
          { spans: rows.n, length: bytesOfRows(rows, request) },
          { kind: 'rows', rows, request, nowMs: lastMs }
        )
      },
      admit
    }
  )

  function ownDecoder(): ReturnType<typeof createSpanDecoder> {
    return createSpanDecoder({ ...parts.decoder, counters: decoderCounters, wants: parts.decompose.wants() })
  }

  function threadOf(shard: number): ShardThread {
    return threads[shard] as ShardThread
  }

  function startThread(shard: number): ShardThread {
    return createShardThread({
      start: () => ({
        // Rules test texts, and what does cannot go to another thread.
        settings: { ...settings, decompose: { ...settings.decompose, rules: [] } },
        buffers: parts.memory.buffers(),
        thread: shard + 1,
        shards: count,
        seed: parts.seed,
        rules: [...rules, rulesNow],
        startMs: lastMs,
        hurried: parts.nowMs === Date.now,
        forwards: parts.sendOn !== undefined
      }),
      heapMib: shardHeapMib(settings),
      log: parts.log,
      onTaken(length, [bytes, order]) {
        counters.taken(shard, length)
        if (bytes !== undefined && order !== undefined) router.giveBack(bytes, order)
      },
      onFound(found) {
        counters.cpu(shard, threadOf(shard).cpuSeconds())
        rounds.answered(shard, found)
      },
      onForward: (send, chunk) => parts.sendOn?.(send, chunk),
      onMarked() {
        unmarked.delete(shard)
      },
      onEnded({ why, lostSpans, unsentSpans }) {
        parts.world.release(shard + 1)
        parts.memory.release(shard + 1)
        counters.restarted(shard)
        counters.lost(why, lostSpans)
        if (parts.sendOn !== undefined) counters.unsent(unsentSpans)
        unmarked.delete(shard)
        rounds.gone(shard)
      }
    })
  }

  function load(
    shard: number,
    size: { spans: number; length: number },
    message: Parameters<ShardThread['load']>[0]
  ): void {
    counters.routed(shard, size.length)
    if (threadOf(shard).isRunning()) threadOf(shard).load(message, size)
    else loseUnread(size.spans)
  }

  /** A body is refused as long as one of its shards is down, but these were taken before. */
  function loseUnread(spans: number): void {
    counters.lost('down', spans)
    if (parts.sendOn !== undefined) counters.unsent(spans)
  }

  function admit(shard: number, bytes: number): void {
    const thread = threadOf(shard)
    const queued = thread.queuedBytes()
    if (thread.isRunning() && (queued === 0 || queued + bytes <= CREDIT_BYTES)) return
    counters.refused(shard)
    throw new Fault('BUSY', 'a worker has too much before it', { retryable: true })
  }

  function flush(): void {
    clearTimeout(flushTimer)
    flushTimer = undefined
    router.flush()
  }

  function takeDecoded(body: Uint8Array, encoding: 'json' | 'protobuf'): Refusals {
    // Whose its spans are is known once they are decoded, and so counted: too late to be told to come back.
    for (let shard = 0; shard < count; shard++) admit(shard, body.length)
    const refused = encoding === 'json' ? spans.decodeJson(body, lastMs) : spans.decodeProtobuf(body, lastMs)
    counters.decoded()
    parts.forward?.arrived({ body, encoding, ...refused }, spans.batch)
    router.takeRows(spans.batch, parts.rowRequests)
    parts.rowRequests?.end()
    return refused
  }

  async function endAll(): Promise<void> {
    clearTimeout(flushTimer)
    await Promise.all(threads.map((thread) => thread.end()))
  }

  return {
    async ready() {
      await Promise.all(threads.map(({ started }) => started))
    },
    traces(body, encoding) {
      if (encoding === 'json' || !router.takeBytes(body, lastMs)) return takeDecoded(body, encoding)
      flushTimer ??= setTimeout(flush, FLUSH_MS)
      return nothingRefused
    },
    tick(nowMs) {
      // What came before belongs to the time before.
      flush()
      lastMs = nowMs
      parts.forward?.tick(nowMs)
      rounds.start(nowMs)
      return rounds.closed()
    },
    // Shards have threads of their own, and may take a round's work in one go.
    closeDue: () => 0,
    settled: rounds.settled,
    setRules(wanted) {
      flush()
      rulesNow = writeRules(wanted)
      rules.add(rulesNow)
      spans = ownDecoder()
      for (const thread of threads) thread.tell({ kind: 'rules', rules: rulesNow })
    },
    relieve(bytes, nowMs) {
      for (const thread of threads) thread.tell({ kind: 'relieve', bytes: Math.ceil(bytes / count), nowMs })
      return Math.max(0, bytes - threads.reduce((sum, thread) => sum + thread.state().openBytes, 0))
    },
    mark: () => undefined,
    memory: () => ({
      decoder: threads.reduce((sum, thread) => sum + thread.queuedBytes(), spans.memory() + router.bytes()),
      ...parts.forward?.memory()
    }),
    threadMemory: () => threads.map((thread) => thread.memory()),
    counters: [decoderCounters, counters, ...threads, ...(parts.forward === undefined ? [] : [parts.forward.counters])],
    holders: {
      ask() {
        for (const [shard, thread] of threads.entries()) {
          if (!thread.isRunning()) continue
          unmarked.add(shard)
          thread.tell({ kind: 'mark' })
        }
      },
      haveAnswered: () => unmarked.size === 0,
      alone: (work) => parts.world.alone(work, ALONE_MS_MAX)
    },
    async shutdown(nowMs) {
      await rounds.settled()
      flush()
      lastMs = nowMs
      rounds.start(nowMs, true)
      await rounds.settled()
      findings.finish()
      for (const thread of threads) counters.lost('shutdown', thread.heldSpans())
      parts.forward?.shutdown()
      await endAll()
    }
  }
}
