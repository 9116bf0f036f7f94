import type { Surroundings } from './neighbours.ts'
import { thresholds } from './thresholds.ts'

/**
 * More began in it than was stretched, or there was no longer while without a beginning: the process ran, and it is by chance,
 * or by a far side that none of its spans tells of, that several are slow at once.
 */
export const isLively = ({ started, witnesses, quietShare }: Surroundings): boolean =>
  started >= thresholds.lively * Math.max(1, witnesses) || quietShare < thresholds.quiet

/** Neighbours speak for a stall: they were stretched too, and little passed at normal speed. A queue lets others pass, a stall does not. */
export const isStalled = (around: Surroundings): boolean =>
  !isLively(around) &&
  around.witnesses > 0 &&
  around.coveredShare >= thresholds.covered &&
  around.crossedShare < thresholds.crossed
