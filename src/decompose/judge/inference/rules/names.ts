/** Rules that judge stretched pieces, in their order: each works on what the former left. */
export const ruleNames = [
  'queue',
  'shared_queue',
  'released',
  'silence',
  'neighbours',
  'answer_gap',
  'callee_gap',
  'leaf_idle',
  'late_turn',
  'unwatched',
  'handover',
  'budget',
  'gc'
] as const
export type RuleName = (typeof ruleNames)[number]

/**
 * What `decompose.inference.without` switches off; `spread` is the judge's own, for pieces that are not stretched, `knocks` are
 * witnesses that several rules ask.
 */
export const switchNames = ['spread', 'knocks', ...ruleNames] as const
export type SwitchName = (typeof switchNames)[number]
