import { type PhaseName, phases } from '../../../src/model/phases.ts'
import { noTimes, type PhaseTimes, total } from './phase-times.ts'

/** A request or a whole trace, as it was told and as it was. Keys are phases, or service and phase. */
export interface Sample<Key extends string> {
  readonly operation: string
  readonly band: string | null
  readonly isOk: boolean
  readonly told: ReadonlyMap<Key, number>
  readonly truth: ReadonlyMap<Key, number>
}

/** A request with what the phase error and the promises need beside it. Without wire: see `withoutWire`. */
export interface RequestSample {
  readonly operation: string
  readonly band: string | null
  readonly isOk: boolean
  readonly durationNs: number
  readonly told: Readonly<PhaseTimes>
  readonly truth: Readonly<PhaseTimes>
  /** ns told with the grade `measured`. */
  readonly measured: Readonly<PhaseTimes>
}

/** Sums, so that recordings can be put together; `figuresOf` divides them. */
export interface Tally {
  requests: number
  tailRequests: number
  /** Tail requests whose true excess is in their own process, by true phase and by told phase: `true>told`. */
  readonly causes: Map<string, number>
  traces: number
  /** The slowest traces, by true and told culprit: `service phase>service phase`. */
  readonly culprits: Map<string, number>
  /** Share of misplaced time, added up over requests. */
  misplaced: number
  misplacedInTail: number
  /** Differences per phase as shares of the duration, added up over the tail's requests. */
  readonly differences: PhaseTimes
  excessNs: number
  unattributedNs: number
  trueExcessNs: number
  causedNs: number
  missedNs: number
  measuredNs: number
  falseNs: number
  tailNs: number
  /** Root requests whose path the scorer walked as analyze did, and those where the two differ. */
  samePaths: number
  otherPaths: number
  /** Spans whose truth adds up to their own time within the tolerance, and those where it does not. */
  exactTruths: number
  otherTruths: number
  /** Not scored: truth does not cover them. */
  leftOut: number
  leftOutTraces: number
}

export function noTally(): Tally {
  return {
    requests: 0,
    tailRequests: 0,
    causes: new Map(),
    traces: 0,
    culprits: new Map(),
    misplaced: 0,
    misplacedInTail: 0,
    differences: noTimes(),
    excessNs: 0,
    unattributedNs: 0,
    trueExcessNs: 0,
    causedNs: 0,
    missedNs: 0,
    measuredNs: 0,
    falseNs: 0,
    tailNs: 0,
    samePaths: 0,
    otherPaths: 0,
    exactTruths: 0,
    otherTruths: 0,
    leftOut: 0,
    leftOutTraces: 0
  }
}

export function sumOf(tallies: readonly Tally[]): Tally {
  const sum = noTally()
  for (const { causes, culprits, differences, ...numbers } of tallies) {
    for (const [pair, times] of causes) count(sum.causes, pair, times)
    for (const [pair, times] of culprits) count(sum.culprits, pair, times)
    for (const phase of phases) sum.differences[phase] += differences[phase]
    for (const [name, value] of Object.entries(numbers)) sum[name as keyof typeof numbers] += value
  }
  return sum
}

/** What is left of a sample when its operation's body is taken from it, on both sides. */
interface Excess<Key extends string> {
  readonly told: ReadonlyMap<Key, number>
  readonly truth: ReadonlyMap<Key, number>
}

/** Of each sample in the tail. An operation whose body nobody knows has no excess. */
export function tailExcess<Key extends string>(samples: readonly Sample<Key>[]): Excess<Key>[] {
  const tail: Excess<Key>[] = []
  for (const of of Map.groupBy(samples, ({ operation }) => operation).values()) {
    const body = of.filter(({ band, isOk }) => band === 'le_p50' && isOk)
    if (body.length === 0) continue
    const told = meanOf(body.map((sample) => sample.told))
    const truth = meanOf(body.map((sample) => sample.truth))
    for (const sample of of) {
      if (sample.band !== 'gt_p99') continue
      tail.push({ told: lessBody(sample.told, told), truth: lessBody(sample.truth, truth) })
    }
  }
  return tail
}

function meanOf<Key extends string>(maps: readonly ReadonlyMap<Key, number>[]): Map<Key, number> {
  const mean = new Map<Key, number>()
  for (const map of maps) for (const [key, ns] of map) mean.set(key, (mean.get(key) ?? 0) + ns / maps.length)
  return mean
}

function lessBody<Key extends string>(
  times: ReadonlyMap<Key, number>,
  body: ReadonlyMap<Key, number>
): ReadonlyMap<Key, number> {
  const keys = new Set([...times.keys(), ...body.keys()])
  return new Map([...keys].map((key) => [key, (times.get(key) ?? 0) - (body.get(key) ?? 0)]))
}

export function largest<Key extends string>(times: ReadonlyMap<Key, number>): Key | undefined {
  let best: Key | undefined
  let bestNs = -Infinity
  for (const [key, ns] of times) {
    if (ns <= bestNs) continue
    best = key
    bestNs = ns
  }
  return best
}

const byPhase = (times: Readonly<PhaseTimes>): Map<PhaseName, number> =>
  new Map(phases.map((phase) => [phase, times[phase]]))

export function tallyRequests(tally: Tally, samples: readonly RequestSample[]): void {
  for (const { told, truth, measured, durationNs, band } of samples) {
    if (durationNs === 0) continue
    const inTail = band === 'gt_p99'
    let differenceNs = 0
    for (const phase of phases) {
      const off = Math.abs(told[phase] - truth[phase])
      differenceNs += off
      if (inTail) tally.differences[phase] += off / durationNs
    }
    // Every ns in a wrong phase is missing in the right one: it differs twice.
    const misplaced = differenceNs / 2 / durationNs
    tally.requests += 1
    tally.misplaced += misplaced
    if (!inTail) continue
    tally.tailRequests += 1
    tally.misplacedInTail += misplaced
    tally.tailNs += durationNs
    tally.measuredNs += total(measured)
    for (const phase of phases) tally.falseNs += Math.max(0, measured[phase] - truth[phase])
  }
  const excesses = tailExcess(
    samples.map((sample) => ({ ...sample, told: byPhase(sample.told), truth: byPhase(sample.truth) }))
  )
  for (const { told, truth } of excesses) tallyExcess(tally, told, truth)
}

function tallyExcess(tally: Tally, told: ReadonlyMap<PhaseName, number>, truth: ReadonlyMap<PhaseName, number>): void {
  const positive = (times: ReadonlyMap<PhaseName, number>): number =>
    [...times.values()].reduce((ns, value) => ns + Math.max(0, value), 0)
  const toldNs = Math.max(0, told.get('unattributed') ?? 0)
  const trueNs = Math.max(0, truth.get('unattributed') ?? 0)
  tally.excessNs += positive(told)
  tally.unattributedNs += toldNs
  tally.trueExcessNs += positive(truth)
  tally.causedNs += positive(truth) - trueNs
  tally.missedNs += Math.max(0, toldNs - trueNs)
  const cause = largest(truth)
  if (cause === undefined || cause === 'downstream') return
  count(tally.causes, `${cause}>${largest(told) ?? ''}`)
}

function count(pairs: Map<string, number>, pair: string, by = 1): void {
  pairs.set(pair, (pairs.get(pair) ?? 0) + by)
}

export function tallyTraces(tally: Tally, samples: readonly Sample<string>[]): void {
  tally.traces += samples.length
  for (const { told, truth } of tailExcess(samples)) {
    count(tally.culprits, `${largest(truth) ?? ''}>${largest(told) ?? ''}`)
  }
}

/** The figures of one row. Shares from 0 to 1; NaN where there is nothing to divide by. */
export interface Figures {
  readonly localCause: number
  readonly localCauses: number
  readonly traceCause: number
  readonly slowTraces: number
  readonly phaseError: number
  readonly phaseErrorTail: number
  readonly attributed: number
  /** What `attributed` would be for who tells the truth. */
  readonly attributable: number
  readonly attributedOfCaused: number
  readonly falseCertainty: number
  readonly falseOfTail: number
  readonly tailRequests: number
}

function rightOf(pairs: ReadonlyMap<string, number>): { right: number; of: number } {
  let right = 0
  let of = 0
  for (const [pair, times] of pairs) {
    const [truth, told] = pair.split('>')
    of += times
    if (truth === told) right += times
  }
  return { right, of }
}

export function figuresOf(tally: Tally): Figures {
  const local = rightOf(tally.causes)
  const traces = rightOf(tally.culprits)
  return {
    localCause: local.right / local.of,
    localCauses: local.of,
    traceCause: traces.right / traces.of,
    slowTraces: traces.of,
    phaseError: tally.misplaced / tally.requests,
    phaseErrorTail: tally.misplacedInTail / tally.tailRequests,
    attributed: 1 - tally.unattributedNs / tally.excessNs,
    attributable: tally.causedNs / tally.trueExcessNs,
    attributedOfCaused: 1 - Math.min(1, tally.missedNs / tally.causedNs),
    // Who promises nothing breaks no promise.
    falseCertainty: tally.measuredNs === 0 ? 0 : tally.falseNs / tally.measuredNs,
    falseOfTail: tally.falseNs / tally.tailNs,
    tailRequests: tally.tailRequests
  }
}
