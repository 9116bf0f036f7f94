import {
  type AcceptNext,
  createDecoderCounters,
  createMetricDecoder,
  createResources,
  createSpanDecoder,
  decoderLimits
} from './accept/index.ts'
import { createAssembler } from './assemble/index.ts'
import { createDecomposer, createGiants, GIANT_SPANS } from './decompose/index.ts'
import {
  createExplainer,
  summarizeBlame,
  summarizeBoundaries,
  summarizeBudgets,
  summarizeOperations
} from './explain/index.ts'
import { type ExposeSources, type ExposeTools, keptTraceSources } from './expose/index.ts'
import type { Decomposition } from './model/decomposition.ts'
import type { TraceColumns } from './model/spans.ts'
import { createCounters } from './runtime/counters.ts'
import { createStrings } from './runtime/strings.ts'
import { createSweeper } from './runtime/sweeper.ts'
import type { Settings } from './settings/settings.ts'

export interface Pipeline {
  /** Takes the bodies of export requests. */
  readonly accept: AcceptNext
  /** Everything there is to show. */
  readonly sources: Omit<ExposeSources, 'ready' | 'version' | 'startedMs' | 'otlpPorts'>
  readonly names: Pick<ExposeTools, 'strings' | 'resources'>
  /** Does a bounded slice of work; gives the number of traces that it closed. Call it a few times a second. */
  readonly tick: (nowMs: number) => number
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
  readonly shutdown: (nowMs: number) => void
}

export interface PipelineTools {
  readonly log: { readonly error: (fields: object, message: string) => void }
  readonly nowMs: () => number
  readonly seed: number
}

const stringLimits = { stringsMax: 1 << 19, bytesMax: 48 * 1024 ** 2, stringBytesMax: 512 }
/** What was learned counts from the next publication on, so that all requests between two are judged alike. */
const PUBLISH_EVERY_MS = 10_000
/** Time that giants may take of a tick, and traces that were held. */
const GIANTS_MS = 20
const HELD_MS = 50

const stages = ['decompose', 'explain'] as const
const counterTable = {
  tail_stage_errors_total: { help: 'Traces dropped because a stage failed on them.', label: 'stage', values: stages }
}

/** The whole service on one screen, built back to front: each stage is given the one after it. */
export function buildPipeline(settings: Settings, tools: PipelineTools): Pipeline {
  const counters = createCounters(counterTable)
  const strings = createStrings({ ...stringLimits, seed: tools.seed })
  const resources = createResources(strings, decoderLimits)
  const names = { strings, resources }
  const explain = createExplainer(settings.explain, names)
  const decompose = createDecomposer(settings.decompose, names)
  const giants = createGiants(decompose.decomposeSliced)
  const assemble = createAssembler(
    settings.assemble,
    { resources, seed: tools.seed },
    { closed: onClosed, late: explain.late }
  )
  const limits = { ...decoderLimits, spanAgeMaxMs: settings.accept.spanAgeMaxMs }
  const decoderTools = { ...names, limits, counters: createDecoderCounters() }
  let spans = createSpanDecoder({ ...decoderTools, wants: decompose.wants() })
  const points = createMetricDecoder(decoderTools)
  const { mark: markTold, ...told } = keptTraceSources(
    {
      tables: explain.tables,
      decompose: decompose.decomposeShown,
      bandsOf: explain.bandsOf,
      wants: decompose.wants
    },
    names
  )
  const sweeper = createSweeper(names, [assemble, explain, decompose, giants, { mark: markTold }])
  let closed = 0
  let publishAtMs = 0
  let lastMs = tools.nowMs()

  /** A stage that fails costs its trace, never the process. */
  function guarded<T>(stage: (typeof stages)[number], work: () => T): T | undefined {
    try {
      return work()
    } catch (reason) {
      counters.add('tail_stage_errors_total', 1, stages.indexOf(stage))
      tools.log.error({ err: reason, stage }, 'a stage failed; its trace is dropped')
      return undefined
    }
  }

  function onClosed(trace: TraceColumns, contextRows: number): void {
    closed += 1
    if (trace.n > GIANT_SPANS && giants.add(trace, contextRows)) return
    const result = guarded('decompose', () => decompose.decompose(trace, { contextRows, detail: false }))
    if (result === undefined) return
    // One in, one out: what is held stays within its bounds.
    if (decompose.hold(result, contextRows, lastMs)) countHeld(0, lastMs)
    else count(result)
  }

  function count(result: Decomposition): void {
    guarded('explain', () => {
      decompose.learn(result, explain.consume(result, lastMs))
    })
  }

  /** The giant that is being counted; the next one is decomposed after it. */
  let counting: Generator<undefined> | undefined

  function* countGiant(result: Decomposition): Generator<undefined> {
    decompose.learn(result, yield* explain.consumeSliced(result, lastMs, GIANT_SPANS))
  }

  function stepGiant(): void {
    const step = counting
    if (step !== undefined) {
      if (guarded('explain', () => step.next())?.done !== false) counting = undefined
      return
    }
    const result = guarded('decompose', giants.step)
    if (result !== undefined) counting = countGiant(result)
  }

  const hasGiants = (): boolean => counting !== undefined || giants.waiting()

  function advanceGiants(): void {
    const untilMs = tools.nowMs() + GIANTS_MS
    while (hasGiants() && tools.nowMs() < untilMs) stepGiant()
  }

  /** Traces that were held until their neighbours had closed. */
  function countHeld(untilMs: number, nowMs: number): void {
    while (decompose.due(nowMs)) {
      const result = guarded('decompose', () => decompose.take(() => ({ detail: false })))
      if (result !== undefined) count(result)
      if (tools.nowMs() >= untilMs) return
    }
  }

  function tick(nowMs: number): number {
    lastMs = nowMs
    closed = 0
    assemble.tick(nowMs)
    advanceGiants()
    countHeld(tools.nowMs() + HELD_MS, nowMs)
    explain.tick(nowMs)
    if (nowMs >= publishAtMs) {
      decompose.publish()
      publishAtMs = nowMs + PUBLISH_EVERY_MS
    }
    sweeper.tick()
    return closed
  }

  const learned = (): object => ({
    schema: 'tailspan.learned/1',
    decompose: decompose.learned(),
    explain: explain.learned()
  })

  return {
    accept: {
      traces(body, encoding) {
        const refused = encoding === 'json' ? spans.decodeJson(body, lastMs) : spans.decodeProtobuf(body, lastMs)
        assemble.consume(spans.batch, lastMs)
        return refused
      },
      metrics(body, encoding) {
        const refused = encoding === 'json' ? points.decodeJson(body, lastMs) : points.decodeProtobuf(body, lastMs)
        decompose.learnPoints(points.points)
        return refused
      },
      admission: () => undefined
    },
    sources: {
      tables: explain.tables,
      counters: [
        decoderTools.counters,
        assemble.counters,
        decompose.counters,
        decompose.runtimeCounters,
        explain.counters,
        counters
      ],
      memory: () => ({
        strings: strings.bytes(),
        ...assemble.memory(),
        ...decompose.memory(),
        giants: giants.bytes(),
        ...explain.memory()
      }),
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
    tick,
    state: {
      learned,
      history: explain.history.save,
      restore(saved, nowMs) {
        const { decompose: judged, explain: found } = saved.learned as { decompose: unknown; explain: unknown }
        decompose.load(judged)
        decompose.publish()
        explain.begin(found, nowMs)
        explain.history.restore(saved.history, nowMs)
      }
    },
    setRules(rules) {
      decompose.setRules(rules)
      spans = createSpanDecoder({ ...decoderTools, wants: decompose.wants() })
    },
    setBudgets: explain.setBudgets,
    shutdown(nowMs) {
      lastMs = nowMs
      assemble.shutdown(nowMs)
      while (hasGiants()) stepGiant()
      countHeld(Infinity, Infinity)
      explain.shutdown(nowMs)
    }
  }
}
