import {
  type AcceptEnd,
  createDecoderCounters,
  createMetricDecoder,
  createResources,
  decoderLimits
} from './accept/index.ts'
import { createDecomposer, GIANT_SPANS } from './decompose/index.ts'
import { type ReplayTarget } from './durability/index.ts'
import {
  createExplainer,
  summarizeBlame,
  summarizeBoundaries,
  summarizeBudgets,
  summarizeOperations
} from './explain/index.ts'
import { type ExposeSources, type ExposeTools, keptTraceSources } from './expose/index.ts'
import {
  createForwarder,
  createRowRequests,
  type Forwarder,
  type ForwarderTools,
  type RowRequests
} from './forward/index.ts'
import { type Decomposition } from './model/decomposition.ts'
import { type LoggedRequest } from './model/logged.ts'
import { type HeldBytes } from './model/memory.ts'
import { createGuard } from './pipeline/guard.ts'
import { type FindingsNext } from './pipeline/findings-counter.ts'
import { stringLimits } from './pipeline/limits.ts'
import { createOwnThread } from './pipeline/own-thread.ts'
import { type Counted } from './pipeline/shard.ts'
import { type Shards, type ShardsReplay } from './pipeline/shards.ts'
import { createThreads } from './pipeline/threads.ts'
import { createSharedMemory } from './runtime/shared-memory.ts'
import { createStrings } from './runtime/strings.ts'
import { createSweeper } from './runtime/sweeper.ts'
import { createWorldLock } from './runtime/world-lock.ts'
import type { Settings } from './settings/settings.ts'

export interface Pipeline {
  /** Takes the bodies of export requests. */
  readonly accept: AcceptEnd
  /** Sequence of the first request of which anything is not counted yet; Infinity when all is. */
  readonly oldestUncounted: () => number
  /** Reads the segment log of an earlier process. */
  readonly replay: Omit<ShardsReplay, 'take'> & { readonly take: (request: LoggedRequest) => void }
  /** Everything there is to show. */
  readonly sources: Omit<ExposeSources, 'destinations' | 'ready' | 'pressure' | 'version' | 'startedMs' | 'otlpPorts'>
  readonly names: Pick<ExposeTools, 'strings' | 'resources'>
  /** All that each other thread holds. */
  readonly threadMemory: () => readonly HeldBytes[]
  /** Gives back what is kept only because nobody needed the room: names that no trace has any more. */
  readonly trim: () => void
  /** Lets go of about so many bytes: closes open traces early, then gives up kept ones. */
  readonly relieve: (bytes: number, nowMs: number) => void
  /** What was handed to `forward` is delivered, and its memory may be used again. */
  readonly reuse: (bytes: Buffer) => void
  /** Hands to `forward` what waits for more; resolves to whether all of it was. */
  readonly flush: () => Promise<boolean>
  /** Resolves once it can take bodies. */
  readonly ready: () => Promise<void>
  /** Resolves when what the last tick began is done. */
  readonly settled: () => Promise<void>
  /** Does a bounded slice of work; gives the number of traces that it closed. Call it a few times a second. */
  readonly tick: (nowMs: number) => number
  /** A smaller slice of the same, between two ticks. */
  readonly closeDue: (nowMs: number) => number
  /** Whether that left something, for which it should be called again as soon as others have had their turn. */
  readonly due: (nowMs: number) => boolean
  /** What survives a restart. */
  readonly state: {
    readonly learned: () => object
    readonly history: () => Iterable<Uint8Array>
    readonly restore: (
      saved: { readonly learned: unknown; readonly history: readonly Uint8Array[] },
      nowMs: number
    ) => void
  }
  /** Users' rules from now on, also for traces that are open. Throws BAD_SETTINGS, and then the old ones stay. */
  readonly setRules: (rules: Settings['decompose']['rules']) => void
  /** Latency budgets from now on. Counters stay where operation, target and threshold do. */
  readonly setBudgets: (budgets: Settings['explain']['budgets']) => void
  /** Closes and counts every open trace. */
  readonly shutdown: (nowMs: number) => Promise<void>
  /** Ends without that: what is open is in the segment log, for the next process. */
  readonly suspend: (nowMs: number) => Promise<void>
}

export interface PipelineTools {
  readonly log: { readonly error: (fields: object, message: string) => void }
  readonly nowMs: () => number
  /** What turns of work are measured by; monotonic, ms with fractions. Without it they last as long as there is something to do. */
  readonly turnMs?: () => number
  readonly seed: number
  /** Takes the requests that go on to destinations; without it nothing is forwarded. */
  readonly forward?: ForwarderTools['next']
  /** Told of each trace that is counted, or will never be, and when the series of its newest operation begin to show it. */
  readonly counted?: (trace: Counted, shownMs: number) => void
  /**
   * Gives a target all requests of the segment log from this one on of which anything is not counted; resolves to whether all of them
   * were there. Undefined without a log.
   */
  readonly readAgain?: ((from: number, target: ReplayTarget) => Promise<boolean>) | undefined
}

/** What was learned counts from the next publication on, so that all requests between two are judged alike. */
const PUBLISH_EVERY_MS = 10_000
/** A shard that is in the middle of something for longer puts it off until the next round. */
const PUBLISH_WAIT_MS = 20

/** The whole service on one screen, built back to front: each stage is given the one after it. */
export function buildPipeline(settings: Settings, tools: PipelineTools): Pipeline {
  const memory = createSharedMemory()
  const guard = createGuard(tools.log)
  const strings = createStrings({ ...stringLimits(settings), seed: tools.seed, memory })
  const resources = createResources(strings, decoderLimits, memory)
  const names = { strings, resources }
  const explain = createExplainer(settings.explain, { ...names, memory })
  const decompose = createDecomposer(settings.decompose, { ...names, memory })
  const world = createWorldLock(memory, settings.workers)
  const limits = { ...decoderLimits, spanAgeMaxMs: settings.accept.spanAgeMaxMs }
  const metricCounters = createDecoderCounters()
  const points = createMetricDecoder({ ...names, limits, counters: metricCounters })
  let lastMs = tools.nowMs()
  // What is read again was counted as taken by the process that took it.
  const loggedPoints = createMetricDecoder({ ...names, limits, counters: createDecoderCounters() })
  /** While the log is read again: the time it was written. */
  let logMs: number | undefined

  const counting: FindingsNext = {
    found(result, judged) {
      const counted = guard.run('explain', () => explain.consume(result, lastMs, judged))
      tellCounted(result.trace, counted && result)
      return counted
    },
    *foundGiant(result, judged) {
      const counted = yield* explain.consumeSliced(result, lastMs, { slice: GIANT_SPANS, judged })
      tellCounted(result.trace, result)
      return counted
    },
    late: explain.late,
    uncounted(trace) {
      tellCounted(trace)
    }
  }
  const rowRequests = settings.workers > 1 ? createRowRequests() : undefined
  const forward = createForward(settings, tools.forward, rowRequests)
  const inOwnThread = { guard, judge: explain.judge, turnMs: tools.turnMs ?? (() => 0) }
  const common = { ...tools, resources, decompose, forward, decoder: { ...names, limits }, roundOver }
  const ofThreads = {
    hurried: tools.turnMs !== undefined,
    memory,
    world,
    rowRequests,
    sendOn: forward && tools.forward,
    readAgain: tools.readAgain
  }
  const inThreads = settings.workers > 1 ? createThreads(settings, { ...common, ...ofThreads }, counting) : undefined
  const shards: Shards = inThreads ?? createOwnThread(settings, { ...common, ...inOwnThread }, counting)
  const { mark: markTold, ...told } = keptTraceSources(
    {
      tables: explain.tables,
      decompose: decompose.decomposeShown,
      bandsOf: explain.bandsOf,
      wants: decompose.wants
    },
    names
  )
  const sweeper = createSweeper(names, [shards, explain, decompose, { mark: markTold }], inThreads?.holders)
  let publishAtMs = 0

  function tellCounted(trace: Counted, result?: Decomposition): void {
    // Without a log nobody asks.
    if (trace.custody.last === 0) return
    const newestRowMs = result === undefined ? -Infinity : explain.newestRowMs(result)
    tools.counted?.(trace, newestRowMs + settings.expose.zeroFirstMs)
  }

  function roundOver(nowMs: number): void {
    // What the log brings again belongs to no minute of now.
    if (logMs !== undefined) explain.publishBands(nowMs)
    else explain.tick(nowMs)
    if (nowMs >= publishAtMs && world.alone(decompose.publish, PUBLISH_WAIT_MS)) publishAtMs = nowMs + PUBLISH_EVERY_MS
    sweeper.tick()
  }

  /** Reserved at the limits of tables, and in no page of memory so far. */
  function untouchedBytes(): number {
    const { learned: judged = 0, neighbours = 0 } = decompose.memory()
    return memory.reservedBytes() - strings.bytes() - resources.bytes() - judged - neighbours
  }

  const learned = (): object => ({
    schema: 'tailspan.learned/1',
    decompose: decompose.learned(),
    explain: explain.learned()
  })

  return {
    accept: {
      traces: shards.traces,
      metrics(body, encoding) {
        const refused = encoding === 'json' ? points.decodeJson(body, lastMs) : points.decodeProtobuf(body, lastMs)
        decompose.learnPoints(points.points)
        return refused
      }
    },
    sources: {
      tables: explain.tables,
      counters: [
        metricCounters,
        ...shards.counters,
        decompose.counters,
        decompose.runtimeCounters,
        explain.counters,
        guard.counters,
        sweeper.counters
      ],
      memory() {
        const { decoder = 0, untouched = 0, ...parts } = shards.memory()
        return {
          untouched: untouched + untouchedBytes(),
          decoder: decoder + points.memory(),
          strings: strings.bytes(),
          resources: resources.bytes(),
          ...parts,
          ...decompose.memory(),
          ...explain.memory()
        }
      },
      clockOffsets: decompose.clockOffsets,
      learned,
      history: explain.history.of,
      ...told,
      operations: () => summarizeOperations(explain.tables, strings),
      blame: () => summarizeBlame(explain.tables, strings),
      budgets: () => summarizeBudgets(explain.tables, strings),
      boundaries: () => summarizeBoundaries(explain.tables.boundaries, strings)
    },
    names,
    oldestUncounted: shards.oldestUncounted,
    replay: {
      ...shards.replay,
      begin(settled) {
        logMs = -Infinity
        shards.replay.begin(settled)
      },
      take(request) {
        const { signal, encoding, body } = request
        if (signal === 'traces') {
          shards.replay.take(request)
          return
        }
        loggedPoints[encoding === 'json' ? 'decodeJson' : 'decodeProtobuf'](body, logMs ?? lastMs)
        decompose.learnPoints(loggedPoints.points)
      },
      goOn(atMs) {
        logMs = atMs
        return shards.replay.goOn(atMs)
      },
      async end(nowMs) {
        if (!(await shards.replay.end(nowMs))) return false
        explain.history.passOver()
        logMs = undefined
        return true
      }
    },
    trim: sweeper.sweep,
    ready: shards.ready,
    settled: shards.settled,
    threadMemory: shards.threadMemory,
    tick(nowMs) {
      lastMs = nowMs
      return shards.tick(nowMs)
    },
    closeDue(nowMs) {
      lastMs = nowMs
      return shards.closeDue(nowMs)
    },
    due: shards.due,
    relieve(bytes, nowMs) {
      const more = shards.relieve(bytes, nowMs)
      if (more > 0) explain.relieve(more)
    },
    reuse(bytes) {
      forward?.reuse(bytes)
    },
    flush: shards.flush,
    state: {
      learned,
      history: explain.history.save,
      restore(saved, nowMs) {
        const { decompose: judged, explain: found } = saved.learned as { decompose: unknown; explain: unknown }
        // Nothing is under way yet, so nobody has to be waited for.
        decompose.load(judged)
        decompose.publish()
        explain.begin(found, nowMs)
        explain.history.restore(saved.history, nowMs)
      }
    },
    setRules(rules) {
      decompose.setRules(rules)
      shards.setRules(rules)
    },
    setBudgets: explain.setBudgets,
    async shutdown(nowMs) {
      lastMs = nowMs
      await shards.shutdown(nowMs)
      explain.shutdown(nowMs)
    },
    async suspend(nowMs) {
      lastMs = nowMs
      await shards.suspend()
      explain.shutdown(nowMs)
    }
  }
}

/** Of several threads this one passes on only what was refused. */
function createForward(
  { forward }: Settings,
  next: ForwarderTools['next'] | undefined,
  rowRequests: RowRequests | undefined
): Forwarder | undefined {
  if (next === undefined || forward.sends.length === 0) return undefined
  return createForwarder(forward, { next, ...(rowRequests !== undefined && { rowRequests }) })
}
