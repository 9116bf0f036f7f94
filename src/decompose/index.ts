import type { Decomposition } from '../model/decomposition.ts'
import { Outcome } from '../model/requests.ts'
import type { MetricPoints } from '../model/metric-points.ts'
import type { Resources, TraceColumns, Wants } from '../model/spans.ts'
import { type Counters, createCounters } from '../runtime/counters.ts'
import { Fault } from '../runtime/fault.ts'
import { createSharedMemory, type SharedMemory } from '../runtime/shared-memory.ts'
import type { Marks } from '../runtime/stage.ts'
import type { Strings } from '../runtime/strings.ts'
import { createEngine, type DecomposeOptions, type Engine } from './engine.ts'
import { createSources, type Sources, sourceNames } from './evidence/index.ts'
import { isNameAmbiguous, traitByName } from './evidence/wait-spans.ts'
import { createInference, losses } from './judge/inference/index.ts'
import { createLearned, type LearnedDump } from './learned/index.ts'
import { Trait, type TreeTools } from './cut/tree.ts'
import { enlarge } from './scratch.ts'
import type { DecomposeSettings, Rule } from './settings.ts'

export { evidenceWants } from './evidence/index.ts'
export { describeRules } from './rules/words.ts'
export {
  decomposeSection,
  decomposeSettings,
  type DecomposeSettings,
  readRules,
  rulesSection,
  writeRules
} from './settings.ts'
export type { DecomposeOptions } from './engine.ts'
export { createGiants, GIANT_SPANS } from './giants.ts'
export type { LearnedDump } from './learned/index.ts'

export const decomposeCounters = {
  tail_evidence_conflicts_total: {
    help: 'Evidence that asked for more of a span than was left of it, by source.',
    label: 'source',
    values: sourceNames
  },
  tail_evidence_implausible_total: {
    help: 'Evidence that cannot be, negative or far longer than its span, and was left out, by source. Its unit is wrong.',
    label: 'source',
    values: sourceNames
  },
  tail_patterns_unsearched_total: {
    help: 'Spans that had too many siblings to look for retries, hedges and stragglers among them.'
  },
  tail_inference_losses_total: {
    help: 'What inference had no room for: traces judged before their neighbours were known, pieces and requests forgotten too soon, suspects that there was no time for, traces that came while too much else did.',
    label: 'part',
    values: losses
  }
}

/** What rules have ever asked for keeps its place until the next start: a code of 16 bits each, and a look of the decoder. */
const WANTS_MAX = 4_096
/** A busy service teaches more than medians need: after so many traces between two publications, only every eighth. */
const LESSONS = 2_000
const LESSON_SHARE = 8
/** Traces of a file after which clocks are looked at again. */
const CLOCKS_EVERY = 32
/** The same for how long pieces take, of which there are more. */
const SPREAD_SHARE = 32

export interface Decomposer {
  /** What the decoder is to keep of spans. */
  readonly wants: () => Wants
  /**
   * Users' rules from now on, also for spans that came before; the decoder has to learn of the new wants. Throws BAD_SETTINGS, and
   * then the old ones stay.
   */
  readonly setRules: (rules: readonly Rule[]) => void
  /** Phases of every request of a trace. The result is overwritten by the next call. */
  readonly decompose: (trace: TraceColumns, options: DecomposeOptions) => Decomposition
  /** The same in slices of about `slice` rows, beside `decompose`; one at a time. Its result holds until the next one begins. */
  readonly decomposeSliced: (
    trace: TraceColumns,
    options: DecomposeOptions,
    slice: number
  ) => Generator<undefined, Decomposition>
  /** As `decomposeSliced`, for showing: beside both, so that its result holds until the next trace is shown. One at a time. */
  readonly decomposeShown: (
    trace: TraceColumns,
    options: DecomposeOptions,
    slice: number
  ) => Generator<undefined, Decomposition>
  /** Shows inference a trace that was just decomposed, once each: its spans are neighbours of others'. */
  readonly observe: (result: Decomposition) => void
  /**
   * As `observe`, before the trace is counted. True when it is held back, because something in it is unusually long, until its
   * neighbours are known.
   */
  readonly hold: (result: Decomposition, contextRows: number, nowMs: number) => boolean
  /** Whether a held trace's time has come. */
  readonly due: (nowMs: number) => boolean
  /** Decomposes the trace held for longest, with what was inferred of it. Only when one is due. */
  readonly take: (optionsFor: (trace: TraceColumns) => Omit<DecomposeOptions, 'contextRows'>) => Decomposition
  /** Learns from a result that was just returned, given the bands of its requests. */
  readonly learn: (result: Decomposition, bands: Uint8Array) => void
  /** Makes what was learned count from now on, while no other thread is at work; with `all`, also of requests whose neighbours may still come. */
  readonly publish: (all?: boolean) => void
  /** Forgets which traces it saw, not what it learned of them: before the same ones are read again. */
  readonly forget: () => void
  /** Learns what runtime metrics say of the processes. */
  readonly learnPoints: (points: MetricPoints) => void
  readonly learned: () => LearnedDump
  readonly load: (dump: unknown) => void
  readonly clockOffsets: () => { from: string; to: string; seconds: number }[]
  readonly mark: (marks: Marks) => void
  readonly memory: () => Readonly<Record<string, number>>
  readonly counters: Counters
  readonly runtimeCounters: Counters
}

/**
 * The heart: splits requests into phases. Two steps with a seam between: cut (tree, critical path, pieces of self time; pure,
 * one trace) and judge (claims of the evidence, and what the process has learned).
 */
export function createDecomposer(
  settings: DecomposeSettings,
  tools: { readonly strings: Strings; readonly resources: Resources; readonly memory?: SharedMemory }
): Decomposer {
  const { strings, resources, memory = createSharedMemory() } = tools
  const learned = createLearned(settings, { strings, resources, memory })
  const counters = createCounters(decomposeCounters)
  let sources = createSources(settings.rules, strings)
  // Whoever learns or looks at what others saw; what is published is read without.
  const mutex = memory.mutex()
  // Traces taught since the last publication, by all threads.
  const taught = memory.take(Uint32Array, 1)
  // Offline: what is learned is learned once, and nothing waits meanwhile.
  const unhurried = settings.inference.waitMs === Infinity
  const inference = createInference(settings.inference, {
    resources,
    spreads: learned.spreads,
    servers: learned.servers,
    sharedServers: learned.sharedServers,
    clocks: learned.clocks,
    runtime: learned.runtime,
    memory,
    mutex,
    lost(loss, count) {
      counters.add('tail_inference_losses_total', count, loss)
    }
  })
  let whole = engineWith(sources)
  let sliced = engineWith(sources)
  let slicedSources = sources
  // Made when first asked for: many services are never looked at.
  let shown: Engine | undefined

  function engineWith(sources: Sources): Engine {
    return createEngine({
      resources,
      learned,
      sources,
      writeTraits: createTraitWriter(strings, sources),
      spread: !settings.inference.without.includes('spread'),
      clockOffsetNs: settings.clockCorrection ? learned.clocks.offsetNs : () => 0
    })
  }

  function observe(result: Decomposition): void {
    const { tree, cut } = result === whole.result ? whole : sliced
    inference.observe(tree, cut)
  }

  function learn(result: Decomposition, bands: Uint8Array): void {
    const lesson = (taught[0] as number) + 1
    taught[0] = lesson
    // Offline it is the only lesson: gaps between hosts are learned once their clocks are known.
    if (unhurried && lesson % CLOCKS_EVERY === 0) learned.clocks.publish()
    const busy = lesson > LESSONS
    const { tree, cut, learn } = result === whole.result ? whole : sliced
    if (!busy || lesson % LESSON_SHARE === 0) learn(bands)
    if (!busy || unhurried || lesson % SPREAD_SHARE === 0) {
      inference.learn(tree, cut, (request) => result.requests.outcome[request] === Outcome.ok)
    }
  }

  /** Details are asked for again and again of a kept trace; only the first look counts. */
  function finish(engine: Engine, options: Pick<DecomposeOptions, 'detail'>): Decomposition {
    if (engine.result.conflicts > 0 && !options.detail) {
      for (let source = 0; source < sourceNames.length; source++) {
        counters.add('tail_evidence_conflicts_total', engine.tally.conflicts[source], source)
        counters.add('tail_evidence_implausible_total', engine.tally.implausible[source], source)
      }
    }
    if (engine.cut.unsearched > 0 && !options.detail) {
      counters.add('tail_patterns_unsearched_total', engine.cut.unsearched)
    }
    return engine.result
  }

  return {
    wants: () => sources.wants,
    setRules(rules) {
      const next = createSources(rules, strings, sources)
      if (next.wants.length > WANTS_MAX) {
        throw new Fault(
          'BAD_SETTINGS',
          'rules: they asked for too many different attributes and events since the start'
        )
      }
      sources = next
      whole = engineWith(next)
      shown = undefined
    },
    decompose(trace, options) {
      whole.run(trace, options)
      return finish(whole, options)
    },
    *decomposeSliced(trace, options, slice) {
      // Not before: the giant at hand and its result are the old one's.
      if (slicedSources !== sources) {
        sliced = engineWith(sources)
        slicedSources = sources
      }
      yield* sliced.runSliced(trace, options, slice)
      return finish(sliced, options)
    },
    *decomposeShown(trace, options, slice) {
      shown ??= engineWith(sources)
      const engine = shown
      yield* engine.runSliced(trace, options, slice)
      return finish(engine, options)
    },
    observe,
    hold(result, contextRows, nowMs) {
      observe(result)
      return inference.hold(result.trace, contextRows, nowMs)
    },
    due: inference.due,
    take(optionsFor) {
      const held = inference.take()
      const options = optionsFor(held.trace)
      whole.run(held.trace, { ...options, contextRows: held.contextRows })
      return finish(whole, options)
    },
    learn(result, bands) {
      mutex.lock()
      try {
        learn(result, bands)
      } finally {
        mutex.unlock()
      }
    },
    learnPoints(points) {
      mutex.lock()
      try {
        learned.runtime.consume(points)
      } finally {
        mutex.unlock()
      }
    },
    publish(all = false) {
      taught[0] = 0
      // Offline it is the only lesson: queues are then looked for knowing how long pieces take.
      if (all) learned.spreads.publish()
      inference.teach(all)
      learned.publish()
    },
    forget: inference.forget,
    learned: learned.dump,
    load: learned.load,
    clockOffsets() {
      const offsets: { from: string; to: string; seconds: number }[] = []
      learned.clocks.each((from, to, offsetNs) => {
        offsets.push({ from: strings.text(from), to: strings.text(to), seconds: offsetNs / 1e9 })
      })
      return offsets
    },
    mark(marks) {
      learned.mark(marks.strings)
      inference.mark(marks)
    },
    memory: () => ({ learned: learned.bytes(), ...inference.memory() }),
    counters,
    runtimeCounters: learned.runtime.counters
  }
}

/** Traits by name are looked up once per name; a name alone decides but for a few, and for those that rules speak of. */
function createTraitWriter(strings: Strings, { userRules }: Sources): TreeTools['writeTraits'] {
  // 0 = unknown, 1 + trait, RULED more where rules must be asked, BY_SCOPE where the name says nothing.
  let known = new Uint8Array(0)
  let generation = -1
  const UNKNOWN = 0
  const RULED = 64
  const BY_SCOPE = 255

  function look(trace: TraceColumns, row: number): number {
    const name = trace.name[row] as number
    const text = strings.text(name)
    const trait = traitByName(text, strings.text(trace.scope[row] as number), trace.kind[row] as number)
    const mayBeRuled = trait === Trait.none && userRules.concerns(name)
    known[name] = isNameAmbiguous(text) ? BY_SCOPE : 1 + trait + (mayBeRuled ? RULED : 0)
    return trait === Trait.none ? userRules.traitOf(trace, row) : trait
  }

  return (trace, from, to, traits) => {
    const { name: names } = trace
    if (generation !== strings.generation()) {
      known.fill(UNKNOWN)
      generation = strings.generation()
    }
    for (let row = from; row < to; row++) {
      const name = names[row] as number
      if (name >= known.length) known = enlarge(known, Math.max(name + 1, strings.capacity()))
      const cached = known[name] as number
      if (cached === UNKNOWN || cached === BY_SCOPE) traits[row] = look(trace, row)
      else traits[row] = cached < RULED ? cached - 1 : userRules.traitOf(trace, row)
    }
  }
}
