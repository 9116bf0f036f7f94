import { phases } from './phases.ts'

/** What forwarding may add to spans. A span that comes with one of these names keeps its own. */
export const ADDED_PREFIX = 'tailspan.'
const others = ['band', 'dominant_phase', 'critical_path_ns', 'keep', 'keep_reason'] as const

export const addedAttributes: readonly string[] = [
  ...phases.map((phase) => `phase.${phase}`),
  ...phases.slice(0, -1).map((phase) => `grade.${phase}`),
  ...others
].map((name) => ADDED_PREFIX + name)

const indexOf = (name: (typeof others)[number]): number => addedAttributes.indexOf(ADDED_PREFIX + name)
/** Index of each in `addedAttributes`. */
export const Added = {
  phase: (phase: number): number => phase,
  grade: (phase: number): number => phases.length + phase,
  band: indexOf('band'),
  dominantPhase: indexOf('dominant_phase'),
  criticalPathNs: indexOf('critical_path_ns'),
  keep: indexOf('keep'),
  keepReason: indexOf('keep_reason')
} as const
