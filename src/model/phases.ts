/** What a request's time went to. The order is the order of every phase-indexed array. */
export const phases = [
  'queue_wait',
  'scheduling',
  'gc',
  'allocator',
  'processing',
  'downstream',
  'network',
  'unattributed'
] as const
export type PhaseName = (typeof phases)[number]

export const Phase = {
  queueWait: 0,
  scheduling: 1,
  gc: 2,
  allocator: 3,
  processing: 4,
  downstream: 5,
  network: 6,
  unattributed: 7
} as const
export const PHASES = phases.length

/** How sure a phase is, strongest first. `unattributed` carries none. */
export const grades = ['measured', 'inferred', 'estimated'] as const
export type GradeName = (typeof grades)[number]

export const Grade = { measured: 0, inferred: 1, estimated: 2 } as const
export const GRADES = grades.length

/** Slots of a phase-by-grade array: `phase * GRADES + grade`. `unattributed` uses its first slot only. */
export const PHASE_SLOTS = PHASES * GRADES
export const UNATTRIBUTED_SLOT = Phase.unattributed * GRADES
