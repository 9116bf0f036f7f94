import { Worker } from 'node:worker_threads'
import { type Chunk, type Send } from '../forward/index.ts'
import { type HeldBytes } from '../model/memory.ts'
import { type CounterSample } from '../runtime/counters.ts'
import { type FromShard, type Phase, type ShardStart, type ShardState, type ToShard } from './messages.ts'

/** A thread that ends is started again after this long, twice as long each time that it ends soon. */
const RESTART_MS = 200
const RESTART_MS_MAX = 30_000
const SOON_MS = 60_000
/** What lies on the heap of a shard are names and small objects: spans lie in array buffers, which this does not limit. */
const HEAP_MIB_MAX = 1_024

export type FoundMessage = Extract<FromShard, { kind: 'found' }>

export interface ShardThreadOptions {
  readonly start: () => ShardStart
  readonly log: { readonly error: (fields: object, message: string) => void }
  readonly onTaken: (length: number, buffers: readonly ArrayBuffer[]) => void
  readonly onFound: (found: FoundMessage) => void
  readonly onMarked: () => void
  readonly onForward: (send: Send, chunk: Chunk) => void
  /** The thread has ended, with so many spans. Another one follows. */
  readonly onEnded: (lostSpans: number) => void
}

/**
 * One shard as the main thread knows it.
 *
 *   started --> running --thread ends--> down --after a while--> running
 */
export interface ShardThread {
  readonly started: Promise<void>
  readonly isRunning: () => boolean
  /** Sends spans; those that come while it is down are lost. */
  readonly load: (message: ToShard, size: { readonly spans: number; readonly length: number }) => void
  readonly begin: (phase: Phase, nowMs: number, last: boolean) => void
  readonly tell: (message: ToShard) => void
  /** Bytes of spans that it has not taken yet. */
  readonly queuedBytes: () => number
  /** As it stood after its last phase. */
  readonly state: () => ShardState
  /** All that its thread holds, as it said last. */
  readonly memory: () => HeldBytes
  readonly cpuSeconds: () => number
  /** Of all its threads so far. */
  readonly samples: () => CounterSample[]
  readonly end: () => Promise<void>
}

const nothing: ShardState = {
  openSpans: 0,
  openBytes: 0,
  cpuSeconds: 0,
  memory: undefined,
  counters: new Float64Array(0)
}

export function createShardThread(options: ShardThreadOptions): ShardThread {
  let worker: Worker
  let running = false
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
  let nowStarted: () => void
  const started = new Promise<void>((resolve) => {
    nowStarted = resolve
  })

  function launch(): void {
    startedMs = performance.now()
    running = true
    worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: options.start(),
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX }
    })
    worker.on('message', onMessage)
    worker.on('error', (err: unknown) => {
      options.log.error({ err }, 'the thread of a shard failed')
    })
    worker.on('exit', onExit)
  }

  function onMessage(message: FromShard): void {
    switch (message.kind) {
      case 'started':
        template = message.counters
        if (before.length === 0) before = new Float64Array(template.length)
        nowStarted()
        return
      case 'taken':
        queuedBytes -= message.length
        queuedSpans -= message.spans
        takenSpans += message.spans
        options.onTaken(message.length, message.buffers)
        return
      case 'found':
        if (message.state.memory !== undefined) memory = message.state.memory
        state = message.state
        takenSpans = 0
        options.onFound(message)
        return
      case 'marked':
        options.onMarked()
        return
      case 'forward':
        options.onForward(message.send, { bytes: Buffer.from(message.bytes, 0, message.length), spans: message.spans })
    }
  }

  function onExit(): void {
    if (ending) return
    const lostSpans = state.openSpans + takenSpans + queuedSpans
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
    options.onEnded(lostSpans)
  }

  launch()
  return {
    started,
    isRunning: () => running,
    load(message, { spans, length }) {
      queuedBytes += length
      queuedSpans += spans
      worker.postMessage(message, buffersOf(message))
    },
    begin(phase, nowMs, last) {
      worker.postMessage({ kind: phase, nowMs, last })
    },
    tell(message) {
      if (running) worker.postMessage(message)
    },
    queuedBytes: () => queuedBytes,
    state: () => state,
    memory: () => memory,
    cpuSeconds: () => cpuBefore + state.cpuSeconds,
    samples: () => template.map((sample, i) => ({ ...sample, value: (before[i] ?? 0) + (state.counters[i] ?? 0) })),
    async end() {
      ending = true
      clearTimeout(restart)
      await worker.terminate()
    }
  }
}

function buffersOf(message: ToShard): ArrayBuffer[] {
  if (message.kind === 'spans') return [message.bytes, message.order]
  return message.kind === 'rows' ? [message.rows.buffer] : []
}
