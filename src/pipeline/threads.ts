import { setTimeout as pause } from 'node:timers/promises'
import { createDecoderCounters, createSpanDecoder, type DecoderTools, type Refusals } from '../accept/index.ts'
import { type Decomposer, writeRules } from '../decompose/index.ts'
import { type ReplayTarget } from '../durability/index.ts'
import { type Forwarder, type ForwarderTools, type RowRequests, waitsForTraces } from '../forward/index.ts'
import { Fault } from '../runtime/fault.ts'
import { type SharedMemory } from '../runtime/shared-memory.ts'
import { type OtherHolders } from '../runtime/sweeper.ts'
import { type WorldLock } from '../runtime/world-lock.ts'
import { type Settings } from '../settings/settings.ts'
import { createFindingsCounter, type FindingsNext } from './findings-counter.ts'
import { createHeldBack } from './held-back.ts'
import { shardHeapMib } from './limits.ts'
import { type RoundKind } from './messages.ts'
import { createLogReadings } from './log-readings.ts'
import { createRounds } from './rounds.ts'
import { createRouter } from './router.ts'
import { createShardCounters, type Loss } from './shard-counters.ts'
import { createShardThread, type ShardThread } from './shard-thread.ts'
import { type Shards, type ShardsReplay } from './shards.ts'
import { createThreadsReplay, type Load, loadOfCargo, loadOfRows } from './threads-replay.ts'

/** Spans that have come do not wait longer than this for their shard. */
const FLUSH_MS = 10
/** Bytes on their way to one shard; beyond it senders are told to come back. */
const CREDIT_BYTES = 16 * 1024 ** 2
/** How long a change of what all see may hold up this thread. */
const ALONE_MS_MAX = 20
/** At the end, for what shards have for destinations to be sent. */
const LAST_FLUSH_MS_MAX = 8_000

const nothingRefused: Refusals = { rejected: 0, byReason: new Uint32Array(0), places: [], message: '' }

export interface ThreadsParts {
  readonly memory: SharedMemory
  readonly world: WorldLock
  readonly decoder: DecoderTools & { readonly limits: { readonly futureMaxMs: number; readonly spanAgeMaxMs: number } }
  readonly decompose: Pick<Decomposer, 'wants'>
  readonly seed: number
  readonly log: { readonly error: (fields: object, message: string) => void }
  readonly nowMs: () => number
  /** As ShardStart has it. */
  readonly hurried: boolean
  /** Where spans go on to, if they do. */
  readonly sendOn: ForwarderTools['next'] | undefined
  /** Passes on what was refused of bodies that were decoded here. */
  readonly forward: Forwarder | undefined
  /** What it says of the others. */
  readonly rowRequests: RowRequests | undefined
  readonly roundOver: (nowMs: number) => void
  /** As PipelineTools has it. */
  readonly readAgain: ((from: number, target: ReplayTarget) => Promise<boolean>) | undefined
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
  const findings = createFindingsCounter(next, parts.nowMs, settings.durability.mode !== 'off')
  const unmarked = new Set<number>()
  const came = { spans: 0 }
  const heldBack = createHeldBack(count)
  /** At the start, for all shards. */
  let readsLog = false
  const readings =
    parts.readAgain &&
    createLogReadings({
      threadOf,
      findings,
      heldBack,
      readAgain: parts.readAgain,
      targetFor: (shard, round) => createReplay((of) => of === shard, round),
      settled: () => rounds.settled(),
      nowMs: parts.nowMs,
      lose(why, lost) {
        lose(why, lost, lost)
      }
    })
  const isReading = (shard: number): boolean => readings?.isReading(shard) === true
  let ended = false
  /** At the end all that was for destinations was sent. */
  let allSent = false
  let spans = ownDecoder()
  let lastMs = parts.nowMs()
  let flushTimer: NodeJS.Timeout | undefined

  const rounds = createRounds(count, {
    begin(shard, phase, nowMs, kind) {
      const thread = threadOf(shard)
      if (!thread.isRunning() || isReading(shard)) return false
      if (phase === 'close') heldBack.asked(shard)
      thread.begin(phase, nowMs, kind)
      return true
    },
    count(found) {
      findings.count(found.map((one) => one.findings))
      for (const { shard, state } of found) heldBack.answered(shard, state.oldestUncounted)
    },
    over(nowMs) {
      parts.roundOver(readsLog ? lastMs : nowMs)
    },
    onBehind: counters.behind,
    onHung(shard) {
      threadOf(shard).giveUp('hung')
    }
  })
  const threads = Array.from({ length: count }, (_, shard) => startThread(shard))
  const router = createRouter(
    { shards: count, seed: parts.seed, limits: parts.decoder.limits, came },
    {
      spans(shard, cargo, logged) {
        load(shard, loadOfCargo(cargo, logged, false, lastMs))
      },
      rows(shard, rows, request, sequence) {
        load(shard, loadOfRows(rows, request, sequence, lastMs))
      },
      admit
    }
  )

  const replay = createReplay(
    (shard) => !isReading(shard),
    async (nowMs, kind) => {
      await rounds.settled()
      rounds.start(nowMs, kind)
      await rounds.settled()
    },
    () => {
      readsLog = false
      for (let shard = 0; shard < count; shard++) readings?.start(shard)
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
        hurried: parts.hurried,
        forwards: parts.sendOn !== undefined
      }),
      heapMib: shardHeapMib(settings),
      log: parts.log,
      onTaken({ length, buffers }) {
        counters.taken(shard, length)
        for (const { bytes, order } of buffers) router.giveBack(bytes, order)
      },
      onFound(found) {
        counters.cpu(shard, threadOf(shard).cpuSeconds())
        if (readings?.answered(found) !== true) rounds.answered(shard, found)
      },
      onStarted() {
        if (!readsLog) readings?.start(shard)
      },
      onForward: (send, chunk) => parts.sendOn?.(send, chunk),
      onMarked() {
        unmarked.delete(shard)
      },
      onEnded({ why, lostSpans, unsentSpans }) {
        parts.world.release(shard + 1)
        parts.memory.release(shard + 1)
        counters.restarted(shard)
        unmarked.delete(shard)
        rounds.gone(shard)
        if (readings === undefined) lose(why, lostSpans, unsentSpans)
        else {
          readings.ended(shard, why, lostSpans)
          // What is read again goes on again; what was counted is not, and had not gone yet.
          if (parts.sendOn !== undefined) counters.unsent(Math.max(0, unsentSpans - lostSpans))
        }
      }
    })
  }

  /** A body is refused as long as one of its shards is down, but some were taken before; those in the log are read again. */
  function load(shard: number, { message, ...size }: Load): void {
    counters.routed(shard, size.length)
    if (threadOf(shard).isRunning() && !isReading(shard)) threadOf(shard).load(message, size)
    else if (readings === undefined) lose('down', size.spans, size.spans)
  }

  function lose(why: Loss, spans: number, unsentSpans: number): void {
    counters.lost(why, spans)
    if (parts.sendOn !== undefined) counters.unsent(unsentSpans)
  }

  function admit(shard: number, bytes: number): void {
    const thread = threadOf(shard)
    const queued = thread.queuedBytes()
    if (thread.isRunning() && !isReading(shard) && (queued === 0 || queued + bytes <= CREDIT_BYTES)) return
    counters.refused(shard)
    throw new Fault('BUSY', 'a worker has too much before it', { retryable: true })
  }

  function flush(): void {
    clearTimeout(flushTimer)
    flushTimer = undefined
    router.flush()
  }

  function takeDecoded(body: Uint8Array, encoding: 'json' | 'protobuf', sequence: number): Refusals {
    // Whose its spans are is known once they are decoded, and so counted: too late to be told to come back.
    for (let shard = 0; shard < count; shard++) admit(shard, body.length)
    const refused = encoding === 'json' ? spans.decodeJson(body, lastMs) : spans.decodeProtobuf(body, lastMs)
    counters.decoded()
    heldBack.taken(sequence)
    parts.forward?.arrived({ body, encoding, ...refused }, spans.batch)
    router.takeRows(spans.batch, parts.rowRequests, sequence)
    parts.rowRequests?.end()
    return refused
  }

  /** Reads the segment log for those shards that are asked about. */
  function createReplay(
    concerns: (shard: number) => boolean,
    round: (nowMs: number, kind: RoundKind) => Promise<void>,
    onEnded: () => void = () => undefined
  ): ShardsReplay {
    return createThreadsReplay({
      ...parts,
      shards: count,
      came,
      waits: waitsForTraces(settings.forward),
      heldBack,
      load(shard, { message, ...size }) {
        if (concerns(shard) && threadOf(shard).isRunning()) threadOf(shard).load(message, size)
      },
      tell(shard, message) {
        if (concerns(shard)) threadOf(shard).tell(message)
      },
      round,
      isDone: findings.isDone,
      onEnded
    })
  }

  /** Whether all that a shard has for destinations was sent; a shard that reads the log again has it then. */
  async function flushShard(shard: number): Promise<boolean> {
    while (!ended) {
      await readings?.over(shard)
      if (await threadOf(shard).flush()) return true
      await pause(FLUSH_MS)
    }
    return allSent
  }

  async function flushAll(): Promise<boolean> {
    flush()
    parts.forward?.flush()
    if (parts.sendOn === undefined) return true
    return (await Promise.all(threads.map((_, shard) => flushShard(shard)))).every(Boolean)
  }

  async function endAll(): Promise<void> {
    ended = true
    clearTimeout(flushTimer)
    await Promise.all(threads.map((thread) => thread.end()))
    readings?.stop()
  }

  return {
    async ready() {
      await Promise.all(threads.map(({ started }) => started))
    },
    traces(body, encoding, sequence = 0) {
      if (encoding === 'json' || !router.takeBytes(body, lastMs, sequence)) return takeDecoded(body, encoding, sequence)
      heldBack.taken(sequence)
      flushTimer ??= setTimeout(flush, FLUSH_MS)
      return nothingRefused
    },
    tick(nowMs) {
      // What came before belongs to the time before.
      flush()
      lastMs = nowMs
      parts.forward?.tick(nowMs)
      if (readsLog) return 0
      rounds.start(nowMs)
      return rounds.closed()
    },
    // Shards have threads of their own, and may take a round's work in one go.
    closeDue: () => 0,
    due: () => false,
    oldestUncounted: () => Math.min(heldBack.oldest(), findings.oldest()),
    replay: {
      ...replay,
      begin(settled) {
        readsLog = true
        replay.begin(settled)
      }
    },
    settled: rounds.settled,
    flush: flushAll,
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
      rounds.start(nowMs, 'last')
      await rounds.settled()
      findings.finish()
      for (const thread of threads) counters.lost('shutdown', thread.heldSpans())
      parts.forward?.shutdown()
      await endAll()
    },
    async suspend() {
      await rounds.settled()
      flush()
      parts.forward?.flush()
      const sent = Promise.all(threads.map((thread) => thread.flush()))
      const late = new AbortController()
      const { signal } = late
      const isSent = await Promise.race([sent, pause(LAST_FLUSH_MS_MAX, [false], { signal })])
      late.abort()
      allSent = isSent.every((sent, shard) => sent && !isReading(shard))
      await endAll()
    }
  }
}
