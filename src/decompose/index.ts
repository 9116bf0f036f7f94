import type { Decomposition } from '../model/decomposition.ts'
import type { Resources, TraceColumns } from '../model/spans.ts'
import { type Counters, createCounters } from '../runtime/counters.ts'
import type { Marks } from '../runtime/stage.ts'
import type { Strings } from '../runtime/strings.ts'
import { createEngine, type DecomposeOptions } from './engine.ts'
import { evidenceSources } from './evidence/index.ts'
import { traitByName } from './evidence/wait-spans.ts'
import { createLearned, type LearnedDump } from './learned/index.ts'
import type { TreeTools } from './cut/tree.ts'
import { enlarge } from './scratch.ts'
import type { DecomposeSettings } from './settings.ts'

export { evidenceWants } from './evidence/index.ts'
export { decomposeSection, decomposeSettings, type DecomposeSettings } from './settings.ts'
export type { DecomposeOptions } from './engine.ts'
export { createGiants, GIANT_SPANS } from './giants.ts'
export type { LearnedDump } from './learned/index.ts'

export const decomposeCounters = {
  tail_evidence_conflicts_total: {
    help: 'Evidence that asked for more of a span than was left of it, by source.',
    label: 'source',
    values: evidenceSources.map((source) => source.name)
  }
}

/** A busy service teaches more than medians need: after so many traces between two publications, only every eighth. */
const LESSONS = 2_000
const LESSON_SHARE = 8

export interface Decomposer {
  /** Phases of every request of a trace. The result is overwritten by the next call. */
  readonly decompose: (trace: TraceColumns, options: DecomposeOptions) => Decomposition
  /** The same in slices of about `slice` rows, beside `decompose`; one at a time. Its result holds until the next one begins. */
  readonly decomposeSliced: (
    trace: TraceColumns,
    options: DecomposeOptions,
    slice: number
  ) => Generator<undefined, Decomposition>
  /** Learns from a result that was just returned, given the bands of its requests. */
  readonly learn: (result: Decomposition, bands: Uint8Array) => void
  /** Makes what was learned count from now on. */
  readonly publish: () => void
  readonly learned: () => LearnedDump
  readonly load: (dump: unknown) => void
  readonly clockOffsets: () => { from: string; to: string; seconds: number }[]
  readonly mark: (marks: Marks) => void
  readonly memory: () => Readonly<Record<string, number>>
  readonly counters: Counters
}

/**
 * The heart: splits requests into phases. Two steps with a seam between: cut (tree, critical path, pieces of self time; pure,
 * one trace) and judge (claims of the evidence, and what the process has learned).
 */
export function createDecomposer(
  settings: DecomposeSettings,
  tools: { readonly strings: Strings; readonly resources: Resources }
): Decomposer {
  const { strings, resources } = tools
  const learned = createLearned(settings, strings)
  const counters = createCounters(decomposeCounters)
  const engineTools = {
    resources,
    learned,
    writeTraits: createTraitWriter(strings),
    clockOffsetNs: settings.clockCorrection ? learned.clocks.offsetNs : () => 0
  }
  let taught = 0
  const whole = createEngine(engineTools)
  const sliced = createEngine(engineTools)

  /** Details are asked for again and again of a kept trace; only the first look counts. */
  function finish(engine: typeof whole, options: DecomposeOptions): Decomposition {
    if (engine.result.conflicts > 0 && !options.detail) {
      for (const [source, count] of engine.conflicts().entries()) {
        counters.add('tail_evidence_conflicts_total', count, source)
      }
    }
    return engine.result
  }

  return {
    decompose(trace, options) {
      whole.run(trace, options)
      return finish(whole, options)
    },
    *decomposeSliced(trace, options, slice) {
      yield* sliced.runSliced(trace, options, slice)
      return finish(sliced, options)
    },
    learn(result, bands) {
      taught += 1
      if (taught > LESSONS && taught % LESSON_SHARE !== 0) return
      ;(result === whole.result ? whole : sliced).learn(bands)
    },
    publish() {
      taught = 0
      learned.publish()
    },
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
    },
    memory: () => ({ learned: learned.bytes() }),
    counters
  }
}

/** Traits by name are looked up once per name; a name alone decides but for the few that end in ` receive`. */
function createTraitWriter(strings: Strings): TreeTools['writeTraits'] {
  let known = new Uint8Array(0)
  let generation = -1
  const UNKNOWN = 0
  const BY_SCOPE = 255

  function look(trace: TraceColumns, row: number): number {
    const name = trace.name[row] as number
    const text = strings.text(name)
    const trait = traitByName(text, strings.text(trace.scope[row] as number), trace.kind[row] as number)
    known[name] = text.endsWith(' receive') ? BY_SCOPE : trait + 1
    return trait
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
      traits[row] = cached === UNKNOWN || cached === BY_SCOPE ? look(trace, row) : cached - 1
    }
  }
}
