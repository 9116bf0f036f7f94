import { createRequire } from 'node:module'
import type * as Re2 from 're2js'
import { z } from 'zod'
import { grades, Grade, phases, Phase } from '../../model/phases.ts'
import { Kind } from '../../model/spans.ts'
import { compileGlob } from '../../runtime/glob.ts'
import { section } from '../../runtime/setting-kinds.ts'
import { amountUnits, isEpoch, type Rule, type RuleEnd, ruleEnds, type TextMatch } from './rule.ts'

const TEXT_MAX = 512
const text = z.string().min(1).max(TEXT_MAX)

const pattern = section({
  prefix: text.optional().describe('How the text begins.'),
  glob: text.optional().describe('The whole text, * for any run of characters.'),
  regex: text.optional().describe('RE2 syntax, anywhere in the text; its time is linear, so no name can make it slow.')
}).transform((given, context): TextMatch => {
  const said = Object.entries(given)
  const [first] = said
  if (first === undefined || said.length > 1) {
    context.addIssue({ code: 'custom', message: 'expected one of prefix, glob, regex' })
    return z.NEVER
  }
  const [how, written] = first as ['prefix' | 'glob' | 'regex', string]
  try {
    return { how, text: written, test: compile[how](written) }
  } catch (reason) {
    context.addIssue({ code: 'custom', path: [how], message: `not understood: ${String(reason)}` })
    return z.NEVER
  }
})

const compile: Readonly<Record<'prefix' | 'glob' | 'regex', (written: string) => (text: string) => boolean>> = {
  prefix: (written) => (given) => given.startsWith(written),
  glob: compileGlob,
  regex(written) {
    // Loaded when the first rule needs it: it would cost every start a tenth of a second.
    const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof Re2
    const compiled = RE2JS.compile(written)
    return (given) => compiled.matcher(given).find()
  }
}

const exact = text.transform((written): TextMatch => ({
  how: 'exact',
  text: written,
  test: (given) => given === written
}))
const textMatch = z.union([exact, pattern])

/** Rules in writing, for another thread: what tests a text cannot go there, but is made again from what was written. */
export const writeRules = (rules: readonly Rule[]): string => JSON.stringify(rules)

export function readRules(written: string): readonly Rule[] {
  return JSON.parse(written, (_key, value: unknown) =>
    isWrittenMatch(value) ? { ...value, test: testOf(value) } : value
  ) as Rule[]
}

function isWrittenMatch(value: unknown): value is Omit<TextMatch, 'test'> {
  return typeof value === 'object' && value !== null && 'how' in value && 'text' in value
}

function testOf({ how, text: wanted }: Omit<TextMatch, 'test'>): TextMatch['test'] {
  return how === 'exact' ? (given) => given === wanted : compile[how](wanted)
}

const kinds = ['internal', 'server', 'client', 'producer', 'consumer'] as const
// What is over is nobody's claim.
const claimable = phases.filter((phase) => phase !== 'unattributed')
const provable = grades.filter((grade) => grade !== 'estimated')

const attributeCondition = section({
  key: text.describe('The attribute.'),
  value: textMatch.optional().describe('What it must say; without it, it only has to be there.')
})
const eventCondition = section({
  name: textMatch.describe('Name of the event.'),
  where: section({ key: text, equals: z.string().max(TEXT_MAX) })
    .optional()
    .describe('An attribute of the event and what it must say.')
})

const rule = section({
  name: text.describe('What you call the rule, where it is spoken of.'),
  span: textMatch
    .optional()
    .describe('Span name: a text, or one of {prefix: }, {glob: } with *, {regex: } in RE2 syntax.'),
  kind: z.enum(kinds).optional().describe('Span kind.'),
  scope: textMatch.optional().describe('Instrumentation scope, a text or a pattern like the span name.'),
  attribute: attributeCondition
    .optional()
    .describe('A span attribute: {key: }, and {value: } if it must say something, a text or a pattern.'),
  event: eventCondition
    .optional()
    .describe('A span event: {name: }, a text or a pattern, and {where: {key: , equals: }} for one of its attributes.'),
  phase: z.enum(claimable).describe('What the time was.'),
  field: text
    .optional()
    .describe('Attribute that says how long, or since when: of the event if there is one, else of the span.'),
  unit: z
    .enum(amountUnits)
    .optional()
    .describe('Of the field. epoch_s and epoch_ms are the moment since when. A wrong unit is noticed and counted.'),
  ends_at: z
    .enum(ruleEnds)
    .optional()
    .describe(
      'Where the time ends. Usual: event_time with an event, self_time (somewhere in the span) with a field alone, else whole_span. span_start: it was before the span, the lead of a request.'
    ),
  grade: z.enum(provable).default('measured').describe('How sure that is.')
})
  .superRefine((given, context) => {
    for (const [key, message] of contradictions(given)) context.addIssue({ code: 'custom', path: [key], message })
  })
  .transform((given): Rule => {
    const { span, kind, scope, attribute, event, field, unit } = given
    return {
      name: given.name,
      ...(span !== undefined && { span }),
      ...(kind !== undefined && { kind: Kind[kind] }),
      ...(scope !== undefined && { scope }),
      ...(attribute !== undefined && { attribute: withoutUndefined(attribute) }),
      ...(event !== undefined && { event: withoutUndefined(event) }),
      phase: phases.indexOf(given.phase),
      grade: Grade[given.grade],
      ...(field !== undefined && { field }),
      ...(unit !== undefined && { unit }),
      endsAt: endOf(given)
    }
  })

const withoutUndefined = <T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never

interface Written {
  readonly phase: string
  readonly event?: unknown
  readonly field?: string | undefined
  readonly unit?: (typeof amountUnits)[number] | undefined
  readonly ends_at?: RuleEnd | undefined
}

function endOf({ event, field, ends_at: said }: Written): RuleEnd {
  if (said !== undefined) return said
  if (event !== undefined) return 'event_time'
  return field === undefined ? 'whole_span' : 'self_time'
}

function* contradictions(given: Written): Generator<[key: string, message: string]> {
  const { event, field, unit } = given
  const endsAt = endOf(given)
  const at = given.ends_at === undefined ? 'phase' : 'ends_at'
  if (field !== undefined && unit === undefined) yield ['field', 'it needs a unit; say unit: ms, for example']
  if (field === undefined && unit !== undefined) yield ['unit', 'there is no field that it would be the unit of']
  if (endsAt === 'event_time' && event === undefined) yield [at, 'event_time needs an event']
  if (endsAt === 'whole_span' && field !== undefined)
    yield [at, 'whole_span is the length of the span; leave field out']
  if (endsAt === 'whole_span' && event !== undefined) yield [at, 'whole_span cannot depend on an event']
  if ((endsAt === 'span_end' || endsAt === 'self_time' || endsAt === 'span_start') && field === undefined) {
    yield [at, `${endsAt} needs a field that says how long`]
  }
  if ((endsAt === 'span_start' || endsAt === 'self_time') && event !== undefined) {
    yield [at, `${endsAt} takes its field from the span; leave event out, or use event_time`]
  }
  if (endsAt === 'span_start' && given.phase !== phases[Phase.queueWait]) {
    yield ['phase', 'what ends at span_start is waiting before the request; say phase: queue_wait']
  }
  if (isEpoch(unit) && endsAt === 'self_time') {
    yield ['unit', `${String(unit)} is a moment; say where the time ends: span_start, span_end or event_time`]
  }
}

const RULES_MAX = 100

/** `rules`: what users know of their own spans. */
export const rulesSection = z
  .array(rule)
  .max(RULES_MAX)
  .superRefine((rules, context) => {
    const seen = new Set<string>()
    for (const [i, { name }] of rules.entries()) {
      if (seen.has(name))
        context.addIssue({ code: 'custom', path: [i, 'name'], message: 'another rule above is called so' })
      seen.add(name)
    }
  })
