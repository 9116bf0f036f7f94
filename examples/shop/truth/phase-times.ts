import { type PhaseName, phases } from '../../../src/model/phases.ts'

/** ns by phase. */
export type PhaseTimes = Record<PhaseName, number>

export function noTimes(): PhaseTimes {
  return Object.fromEntries(phases.map((phase) => [phase, 0])) as PhaseTimes
}

export function add(to: PhaseTimes, times: Readonly<PhaseTimes>, share = 1): void {
  for (const phase of phases) to[phase] += times[phase] * share
}

export function total(times: Readonly<PhaseTimes>): number {
  let ns = 0
  for (const phase of phases) ns += times[phase]
  return ns
}

/** A phase as `withoutWire` has it. */
export const withoutWireName = (phase: PhaseName): PhaseName => (phase === 'network' ? 'downstream' : phase)

/**
 * The far side and the wire in one: what happens beyond a process's own socket, no truth that is taken inside the process
 * can tell apart.
 */
export function withoutWire(times: Readonly<PhaseTimes>): PhaseTimes {
  return { ...times, downstream: times.downstream + times.network, network: 0 }
}
