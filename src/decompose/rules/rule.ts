/** A condition on a text. */
export interface TextMatch {
  readonly how: 'exact' | 'prefix' | 'glob' | 'regex'
  readonly text: string
  readonly test: (text: string) => boolean
}

export const amountUnits = ['ns', 'us', 'ms', 's', 'epoch_s', 'epoch_ms'] as const
export type AmountUnit = (typeof amountUnits)[number]
/** Where the time that a rule speaks of ends; `self_time` = somewhere in the span's own time. */
export const ruleEnds = ['event_time', 'span_end', 'span_start', 'whole_span', 'self_time'] as const
export type RuleEnd = (typeof ruleEnds)[number]

/** What a user says of spans that no built-in source knows. Checked and complete: every combination here means something. */
export interface Rule {
  readonly name: string
  readonly span?: TextMatch
  /** A Kind. */
  readonly kind?: number
  readonly scope?: TextMatch
  readonly attribute?: { readonly key: string; readonly value?: TextMatch }
  readonly event?: { readonly name: TextMatch; readonly where?: { readonly key: string; readonly equals: string } }
  readonly phase: number
  readonly grade: number
  /** Attribute of the event, if there is one, else of the span. */
  readonly field?: string
  readonly unit?: AmountUnit
  readonly endsAt: RuleEnd
}

export const isEpoch = (unit: AmountUnit | undefined): boolean => unit === 'epoch_s' || unit === 'epoch_ms'

const nsOf: Readonly<Record<AmountUnit, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, epoch_s: 1e9, epoch_ms: 1e6 }
export const nsPerUnit = (unit: AmountUnit | undefined): number => (unit === undefined ? 1 : nsOf[unit])
