/**
 * What a caller did about slow or failing calls, and what it had to wait for: seen in siblings of one name under one parent.
 * Closed list; the order of every pattern-indexed array.
 */
export const patterns = ['retry', 'hedge', 'straggler'] as const
export type PatternName = (typeof patterns)[number]
export const Pattern = { retry: 0, hedge: 1, straggler: 2 } as const
export const PATTERNS = patterns.length
