import {
  createDecoderCounters,
  createMetricDecoder,
  createResources,
  createSpanDecoder,
  decoderLimits
} from '../../accept/index.ts'
import { createAssembler } from '../../assemble/index.ts'
import { createDecomposer } from '../../decompose/index.ts'
import { createDurationStore, createExplainer, type Explainer } from '../../explain/index.ts'
import { type Names } from '../../expose/index.ts'
import { type Decomposition } from '../../model/decomposition.ts'
import { Band } from '../../model/requests.ts'
import { type SpanBatch, type TraceColumns } from '../../model/spans.ts'
import { Fault } from '../../runtime/fault.ts'
import { createStrings } from '../../runtime/strings.ts'
import { type Settings } from '../../settings/settings.ts'
import { type Counts } from './json-report.ts'
import { type Payload } from './payload.ts'

/** One reading of all files. */
export interface Pass {
  /** Throws BAD_PAYLOAD. Gives what was refused of it, in words. */
  readonly take: (payload: Payload) => string
  /** Closes what is open. */
  readonly end: () => void
}

export interface DecidePass extends Pass {
  readonly tables: Explainer['tables']
  readonly counts: () => Counts
  readonly traces: () => number
}

/** The stages of the service, for data that is all there: nothing closes by time, and its clock is the data's. */
/** Told of each trace, in detail, and the bands of its requests. */
export type Decided = (decomposition: Decomposition, bands: Uint8Array) => void
/** Four big-endian words. */
export type TraceId = Uint32Array

export interface Passes {
  readonly names: Names
  /** First: what is usual. */
  readonly learn: () => Pass
  /** Second, or alone with what a service has learned: each trace and its requests. */
  readonly decide: (decided?: Decided, options?: { readonly explain?: TraceId | undefined }) => DecidePass
  /** Takes the dump of a running service in place of the first pass. Throws BAD_FILE. */
  readonly load: (learned: unknown) => void
}

/** Names are shortened as in the service, but there may be more of them, because nothing is ever swept. */
const STRINGS = { stringsMax: 1 << 22, bytesMax: 256 * 1024 ** 2, stringBytesMax: 512, seed: 1 }
/** Nobody scrapes these tables: every operation may have its row. */
const TABLES = {
  operationsMax: 100_000,
  blameRootsMax: 10_000,
  culpritsMax: 48,
  // All of the file decides which culprits are named, not its first half minute.
  blameGatherMs: Infinity,
  boundarySeriesMax: 1_000_000,
  retainedBytesMax: 0,
  retainedTraceBytesMax: 0,
  historyMs: 0
}
/** Files come in any order: a trace is judged when all of them are read, or memory is needed, and all others are its neighbours. */
const NEIGHBOURS = { waitMs: Infinity, heldBytesMax: 512 * 1024 ** 2, piecesMax: 2 ** 23, requestsMax: 2 ** 21 }
/** A file may hold hours of metrics. */
const INTERVALS = 2_048
/** For the decoders: there is no clock by which a span could be too old, or from the future. */
const OFFLINE = NaN

export interface PassesOptions {
  readonly settings: Settings
  /** A trace that could not be decomposed is left out, and told of here. */
  readonly failed: (reason: unknown) => void
}

export function createPasses({ settings, failed }: PassesOptions): Passes {
  const strings = createStrings(STRINGS)
  const resources = createResources(strings, decoderLimits)
  const names = { strings, resources }
  const inference = { ...settings.decompose.inference, ...NEIGHBOURS }
  const decomposer = createDecomposer({ ...settings.decompose, inference, runtimeIntervalsMax: INTERVALS }, names)
  let learned: unknown

  function attempt<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (reason) {
      failed(reason)
      return undefined
    }
  }

  const explained = ({ traceId }: TraceColumns, wanted: TraceId | undefined): { readonly explain?: true } =>
    wanted?.every((word, i) => word === traceId[i]) === true ? { explain: true } : {}

  /** Decoders and assembler of one pass. */
  function begin(
    closed: (decomposition: Decomposition, contextRows: number, nowMs: number) => void,
    options: { detail: boolean; learning?: true; explain?: TraceId | undefined }
  ) {
    const { detail, learning } = options
    const counters = createDecoderCounters()
    const tools = { ...names, wants: decomposer.wants(), counters }
    const spans = createSpanDecoder(tools)
    const points = createMetricDecoder(tools)
    let nowMs = 0
    let lateSpans = 0
    const assembler = createAssembler(
      { ...settings.assemble, holdUntilMemory: true },
      { resources, seed: 1 },
      {
        closed(trace, contextRows) {
          const decomposition = attempt(() =>
            decomposer.decompose(trace, { contextRows, detail, ...explained(trace, options.explain) })
          )
          if (decomposition !== undefined) closed(decomposition, contextRows, nowMs)
        },
        late(trace) {
          lateSpans += trace.n
        }
      }
    )
    const take = ({ signal, encoding, bytes }: Payload): string => {
      if (signal === 'logs') return 'logs say nothing about phases; they are not read'
      const decoder = signal === 'traces' ? spans : points
      const refused = encoding === 'json' ? decoder.decodeJson(bytes, OFFLINE) : decoder.decodeProtobuf(bytes, OFFLINE)
      if (signal === 'traces') {
        nowMs = Math.max(nowMs, latestMs(spans.batch))
        assembler.consume(spans.batch, nowMs)
      } else if (learning === true) {
        decomposer.learnPoints(points.points)
      }
      return refused.message
    }
    const end = (): number => {
      assembler.shutdown(nowMs)
      return nowMs
    }
    return { take, end, counters, assembler, late: () => lateSpans }
  }

  function learn(): Pass {
    const durations = createDurationStore({ strings, streamAfterMs: settings.explain.streamAfterMs })
    let noBands = new Uint8Array(64).fill(Band.none)
    const { take, end } = begin(
      (decomposition) => {
        const { n } = decomposition.requests
        if (n > noBands.length) noBands = new Uint8Array(2 * n).fill(Band.none)
        durations.add(decomposition.requests)
        decomposer.observe(decomposition)
        decomposer.learn(decomposition, noBands)
      },
      { detail: false, learning: true }
    )
    return {
      take,
      end() {
        end()
        decomposer.publish(true)
        decomposer.forget()
        learned = durations.learned()
      }
    }
  }

  function decide(decided?: Decided, options: { readonly explain?: TraceId | undefined } = {}): DecidePass {
    const explainer = createExplainer({ ...settings.explain, ...TABLES }, names)
    if (learned !== undefined) explainer.load(learned)
    let traces = 0
    let incomplete = 0
    let conflicts = 0
    const detail = decided !== undefined && options.explain === undefined

    function count(decomposition: Decomposition, nowMs: number): void {
      traces += 1
      conflicts += decomposition.conflicts
      if (!decomposition.complete) incomplete += 1
      const { band: bands } = explainer.consume(decomposition, nowMs)
      decided?.(decomposition, bands)
    }

    /** Traces that waited for their neighbours; before the end only those that there is no room for. */
    function release(nowMs: number, ended = false): void {
      while (decomposer.due(ended ? Infinity : nowMs)) {
        const decomposition = attempt(() =>
          decomposer.take((trace) => ({ detail, ...explained(trace, options.explain) }))
        )
        if (decomposition !== undefined) count(decomposition, nowMs)
      }
    }

    const { take, end, counters, assembler, late } = begin(
      (decomposition, contextRows, nowMs) => {
        if (decomposer.hold(decomposition, contextRows, nowMs)) release(nowMs)
        else count(decomposition, nowMs)
      },
      { detail, explain: options.explain }
    )
    const total = (samples: readonly { name: string; value: number }[], names: readonly string[]): number =>
      samples.reduce((sum, sample) => (names.includes(sample.name) ? sum + sample.value : sum), 0)
    return {
      take,
      end() {
        const nowMs = end()
        release(nowMs, true)
        explainer.shutdown(nowMs)
      },
      tables: explainer.tables,
      traces: () => traces,
      counts() {
        const samples = [...counters.samples(), ...assembler.counters.samples()]
        return {
          spans: total(samples, ['tail_spans_received_total']),
          duplicates: total(samples, ['tail_spans_duplicate_total']),
          late: late(),
          invalid: total(samples, [
            'tail_spans_rejected_total',
            'tail_spans_misfit_total',
            'tail_spans_over_trace_max_total'
          ]),
          incomplete_traces: incomplete,
          evidence_conflicts: conflicts
        }
      }
    }
  }

  return {
    names,
    learn,
    decide,
    load(dump) {
      const { decompose, explain } = (dump ?? {}) as { decompose?: unknown; explain?: unknown }
      try {
        decomposer.load(decompose)
        decomposer.publish()
        // Read here, so that a wrong one is refused before the files are.
        createExplainer(settings.explain, names).load(explain)
      } catch (reason) {
        throw new Fault('BAD_FILE', Fault.from(reason).message, { cause: reason })
      }
      learned = explain
    }
  }
}

/** Unix time in ms of the last end in the batch: the clock of the data. */
function latestMs(batch: SpanBatch): number {
  let latestHi = 0
  let latestLo = 0
  for (let i = 0; i < batch.n; i++) {
    const hi = batch.endHi[i] as number
    const lo = batch.endLo[i] as number
    if (hi > latestHi || (hi === latestHi && lo > latestLo)) {
      latestHi = hi
      latestLo = lo
    }
  }
  return (latestHi * 2 ** 32 + latestLo) / 1e6
}
