import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { type Chunk, type Send } from '../forward/index.ts'
import { type HeldBytes } from '../model/memory.ts'
import { type CounterSample } from '../runtime/counters.ts'
import { type Loss } from './shard-counters.ts'
import {
  type FromShard,
  type Phase,
  type RoundKind,
  type ShardStart,
  type ShardState,
  type Taken,
  type ToShard
} from './messages.ts'

/** A thread that ends is started again after this long, twice as long each time that it ends soon. */
const RESTART_MS = 200
const RESTART_MS_MAX = 30_000
const SOON_MS = 60_000
/** V8 ends the process, and not the thread, when what it needs at its limit is more than it allows itself beyond: so the limit is far away, and heaps are watched. */
const HEAP_LIMIT_TIMES = 4
const LOOK_AT_HEAP_MS = 100
/** A thread that hangs answers within milliseconds; one that hangs in native code never does. */
const HEAP_ANSWER_MS_MAX = 1_000

export type FoundMessage = Extract<FromShard, { kind: 'found' }>

export interface ShardThreadOptions {
  readonly start: () => ShardStart
  /** Beyond it the thread is ended. */
  readonly heapMib: number
  readonly log: { readonly error: (fields: object, message: string) => void }
  readonly onTaken: (taken: Taken) => void
  readonly onFound: (found: FoundMessage) => void
  readonly onMarked: () => void
  /** The first thread, or another one, is up. */
  readonly onStarted: () => void
  readonly onForward: (send: Send, chunk: Chunk) => void
  /** The thread has ended, and all that it sent was read. Another one follows. */
  readonly onEnded: (ended: Ended) => void
}

/** What a thread took with it. */
export interface Ended {
  readonly why: Loss
  readonly lostSpans: number
  readonly unsentSpans: number
}

/**
 * One shard as the main thread knows it.
 *
 *   started --> running --thread ends--> down --after a while--> running
 *                  `--given up--> ending --thread ends--^
 */
export interface ShardThread {
  readonly started: Promise<void>
  readonly isRunning: () => boolean
  /** Sends spans; those that come while it is down are lost. */
  readonly load: (message: ToShard, size: { readonly spans: number; readonly length: number }) => void
  readonly begin: (phase: Phase, nowMs: number, round: RoundKind) => void
  readonly tell: (message: ToShard) => void
  /** Sends what waits for destinations; resolves to whether it did, or ended first. */
  readonly flush: () => Promise<boolean>
  /** Bytes of spans that it has not taken yet. */
  readonly queuedBytes: () => number
  /** As it stood after its last phase. */
  readonly state: () => ShardState
  /** All that its thread holds, as it said last. */
  readonly memory: () => HeldBytes
  readonly cpuSeconds: () => number
  /** Spans that would be lost if it ended now. */
  readonly heldSpans: () => number
  /** Ends the thread: another one follows. */
  readonly giveUp: (why: Loss) => void
  /** Of all its threads so far. */
  readonly samples: () => CounterSample[]
  readonly end: () => Promise<void>
}

const nothing: ShardState = {
  openSpans: 0,
  unsentSpans: 0,
  openBytes: 0,
  oldestUncounted: Infinity,
  cpuSeconds: 0,
  memory: undefined,
  counters: new Float64Array(0)
}

export function createShardThread(options: ShardThreadOptions): ShardThread {
  let worker: Worker
  let running = false
  let why: Loss = 'failed'
  let ending = false
  let startedMs = 0
  let restartMs = RESTART_MS
  let queuedBytes = 0
  let queuedSpans = 0
  /** Since it last said what it holds. */
  let takenSpans = 0
  let state = nothing
  let memory: HeldBytes = {}
  let template: readonly CounterSample[] = []
  /** What threads counted that have ended. */
  let before = new Float64Array(0)
  let cpuBefore = 0
  let restart: NodeJS.Timeout | undefined
  let watch: NodeJS.Timeout | undefined
  let looking: Promise<unknown> = Promise.resolve()
  /** Those who wait until it has sent what waited for destinations. */
  let flushing: ((sent: boolean) => void)[] = []
  let nowStarted: () => void
  const started = new Promise<void>((resolve) => {
    nowStarted = resolve
  })

  function launch(): void {
    startedMs = performance.now()
    running = true
    why = 'failed'
    worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: options.start(),
      resourceLimits: { maxOldGenerationSizeMb: options.heapMib * HEAP_LIMIT_TIMES }
    })
    worker.on('message', onMessage)
    worker.on('error', (err: NodeJS.ErrnoException) => {
      if (err.code === 'ERR_WORKER_OUT_OF_MEMORY') why = 'heap_full'
      options.log.error({ err }, 'the thread of a shard failed')
    })
    worker.on('exit', onExit)
    void lookAtHeap()
  }

  /** Asks the thread in the middle of whatever it does. */
  async function lookAtHeap(): Promise<void> {
    const asked = worker
    const answer = asked.getHeapStatistics().catch(() => undefined)
    looking = answer
    const heap = await answer
    if (asked !== worker || !running || ending) return
    if ((heap?.used_heap_size ?? 0) > options.heapMib * 1024 ** 2) giveUp('heap_full')
    else watch = setTimeout(() => void lookAtHeap(), LOOK_AT_HEAP_MS)
  }

  /** Node 24 dies of a segmentation fault, once in some hundred times, when a thread is terminated that is asked for its heap. */
  async function terminate(): Promise<void> {
    const asked = worker
    await Promise.race([looking, pause(HEAP_ANSWER_MS_MAX, undefined, { ref: false })])
    await asked.terminate()
  }

  function giveUp(reason: Loss): void {
    options.log.error({ reason }, 'the thread of a shard is ended, and another one begins')
    running = false
    why = reason
    void terminate()
  }

  function onMessage(message: FromShard): void {
    switch (message.kind) {
      case 'started':
        memory = message.memory
        template = message.counters
        if (before.length === 0) before = new Float64Array(template.length)
        nowStarted()
        options.onStarted()
        return
      case 'taken':
        onTaken(message.taken)
        return
      case 'found':
        onTaken(message.taken)
        if (message.state.memory !== undefined) memory = message.state.memory
        state = message.state
        takenSpans = 0
        options.onFound(message)
        return
      case 'marked':
        options.onMarked()
        return
      case 'flushed':
        flushing.shift()?.(true)
        return
      case 'forward':
        options.onForward(message.send, { bytes: Buffer.from(message.bytes, 0, message.length), spans: message.spans })
    }
  }

  function onTaken(taken: Taken): void {
    queuedBytes -= taken.length
    queuedSpans -= taken.spans
    takenSpans += taken.spans
    options.onTaken(taken)
  }

  function onExit(): void {
    for (const resolve of flushing) resolve(false)
    flushing = []
    if (ending) return
    clearTimeout(watch)
    const ended = { why, lostSpans: heldSpans(), unsentSpans: state.unsentSpans + takenSpans + queuedSpans }
    state.counters.forEach((value, i) => {
      before[i] = (before[i] ?? 0) + value
    })
    cpuBefore += state.cpuSeconds
    state = nothing
    memory = {}
    queuedBytes = queuedSpans = takenSpans = 0
    running = false
    restartMs = performance.now() - startedMs < SOON_MS ? Math.min(restartMs * 2, RESTART_MS_MAX) : RESTART_MS
    restart = setTimeout(launch, restartMs / 2)
    options.onEnded(ended)
  }

  const heldSpans = (): number => state.openSpans + takenSpans + queuedSpans

  launch()
  return {
    started,
    isRunning: () => running,
    load(message, { spans, length }) {
      queuedBytes += length
      queuedSpans += spans
      worker.postMessage(message, buffersOf(message))
    },
    begin(phase, nowMs, round) {
      worker.postMessage({ kind: phase, nowMs, round })
    },
    tell(message) {
      if (running) worker.postMessage(message)
    },
    flush() {
      if (!running) return Promise.resolve(false)
      worker.postMessage({ kind: 'flush' })
      return new Promise((resolve) => {
        flushing.push(resolve)
      })
    },
    queuedBytes: () => queuedBytes,
    state: () => state,
    memory: () => memory,
    cpuSeconds: () => cpuBefore + state.cpuSeconds,
    samples: () => template.map((sample, i) => ({ ...sample, value: (before[i] ?? 0) + (state.counters[i] ?? 0) })),
    heldSpans,
    giveUp,
    async end() {
      ending = true
      running = false
      clearTimeout(restart)
      clearTimeout(watch)
      await terminate()
    }
  }
}

function buffersOf(message: ToShard): ArrayBuffer[] {
  if (message.kind === 'spans') return [message.bytes, message.order]
  if (message.kind !== 'rows') return []
  return message.request === undefined ? [message.rows.buffer] : [message.rows.buffer, message.request]
}
