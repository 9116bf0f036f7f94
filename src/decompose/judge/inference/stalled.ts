import type { Surroundings } from './neighbours.ts'
import { thresholds } from './thresholds.ts'

/** More began in it than was stretched: the process ran, and it is by chance that two are slow at once. */
export const isLively = ({ started, witnesses }: Surroundings): boolean =>
  started >= thresholds.lively * Math.max(1, witnesses)

/** Neighbours speak for a stall: they were stretched too, and little passed at normal speed. A queue lets others pass, a stall does not. */
export const isStalled = (around: Surroundings): boolean =>
  !isLively(around) &&
  around.witnesses > 0 &&
  around.coveredShare >= thresholds.covered &&
  around.crossedShare < thresholds.crossed
