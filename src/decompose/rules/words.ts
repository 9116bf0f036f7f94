import { grades, phases } from '../../model/phases.ts'
import { Kind } from '../../model/spans.ts'
import { isEpoch, type Rule, type TextMatch } from './rule.ts'

const kindNames = Object.keys(Kind)

/** What each rule does in words, a block of lines per rule, with what is surprising about it. */
export function describeRules(rules: readonly Rule[]): string[] {
  if (rules.length === 0) return []
  return [
    'Rules, in the order in which they are tried. Of those that match a span the first for each phase counts; none sees what another did.',
    ...rules.flatMap((rule, i) => [
      `${i + 1}. ${rule.name}: ${whichSpans(rule)}`,
      `   ${capital(whatTime(rule))} is ${phases[rule.phase] ?? ''} (${grades[rule.grade] ?? ''}).`,
      ...notes(rules, i).map((note) => `   Note: ${note}`)
    ])
  ]
}

function whichSpans({ span, kind, scope, attribute, event, field }: Rule): string {
  const conditions = [
    ...(kind === undefined ? [] : [`kind ${(kindNames[kind] ?? '').toUpperCase()}`]),
    ...(span === undefined ? [] : [`name ${textWords(span)}`]),
    ...(scope === undefined ? [] : [`scope ${textWords(scope)}`]),
    ...(attribute === undefined
      ? []
      : [
          attribute.value === undefined
            ? `attribute ${attribute.key}`
            : `attribute ${attribute.key} ${textWords(attribute.value)}`
        ]),
    ...(field === undefined || event !== undefined ? [] : [`attribute ${field}`]),
    ...(event === undefined ? [] : [`an event ${textWords(event.name)}${whereWords(event.where)}`])
  ]
  return conditions.length === 0 ? 'every span.' : `spans with ${conditions.join(', ')}.`
}

const whereWords = (where: { key: string; equals: string } | undefined): string =>
  where === undefined ? '' : ` whose ${where.key} is "${where.equals}"`

function textWords({ how, text }: TextMatch): string {
  if (how === 'exact') return `"${text}"`
  if (how === 'prefix') return `beginning with "${text}"`
  return how === 'glob' ? `like "${text}"` : `matching /${text}/`
}

function whatTime({ field, unit, endsAt, event }: Rule): string {
  if (endsAt === 'whole_span') return "all of the span's own time"
  const end = { event_time: 'the event', span_end: "the span's end", span_start: "the span's start", self_time: '' }[
    endsAt
  ]
  if (field === undefined) return "from the span's start to the event"
  const what = `${event === undefined ? '' : "the event's "}${field}`
  if (isEpoch(unit)) return `from the moment ${what} (${String(unit)}) to ${end}`
  const amount = `as much as ${what} says in ${String(unit)}`
  return endsAt === 'self_time' ? `${amount}, anywhere in the span's own time,` : `${amount}, up to ${end},`
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

function notes(rules: readonly Rule[], index: number): string[] {
  const rule = rules[index] as Rule
  const found: string[] = []
  if (matchesEverything(rule)) found.push('it matches every span; say a name, kind, scope, attribute or event.')
  const before = rules.slice(0, index).filter((other) => competes(other, rule) && !areApart(other, rule))
  const winner = before.find((other) => covers(other, rule))
  if (winner !== undefined) found.push(`it never counts: "${winner.name}" above matches all that it matches.`)
  else if (before.length > 0) {
    found.push(
      `it may match spans of ${before.map(({ name }) => `"${name}"`).join(', ')} above; there it does not count.`
    )
  }
  return found
}

/** Rules on what was before a request never meet those on what was in it. */
const competes = (a: Rule, b: Rule): boolean =>
  a.phase === b.phase && (a.endsAt === 'span_start') === (b.endsAt === 'span_start')

const matchesEverything = ({ span, kind, scope, attribute, event, field }: Rule): boolean =>
  kind === undefined &&
  attribute === undefined &&
  event === undefined &&
  field === undefined &&
  [span, scope].every((match) => match === undefined || isAnything(match))

const isAnything = ({ how, test }: TextMatch): boolean => how !== 'exact' && test('') && test('\u{10FFFF} any')

/** Whether whatever matches `b` matches `a`, as far as that can be said of patterns. */
function covers(a: Rule, b: Rule): boolean {
  const sameField = a.field === undefined || (a.field === b.field && a.event === undefined && b.event === undefined)
  const attribute =
    a.attribute === undefined ||
    (a.attribute.key === b.attribute?.key && textCovers(a.attribute.value, b.attribute.value))
  const kind = a.kind === undefined || a.kind === b.kind
  return (
    kind &&
    sameField &&
    attribute &&
    a.event === undefined &&
    textCovers(a.span, b.span) &&
    textCovers(a.scope, b.scope)
  )
}

function textCovers(a: TextMatch | undefined, b: TextMatch | undefined): boolean {
  if (a === undefined || isAnything(a)) return true
  if (b === undefined) return false
  if (a.how === b.how && a.text === b.text) return true
  return b.how === 'exact' ? a.test(b.text) : a.how === 'prefix' && b.how === 'prefix' && a.test(b.text)
}

/** Whether no span can match both. */
function areApart(a: Rule, b: Rule): boolean {
  if (a.kind !== undefined && b.kind !== undefined && a.kind !== b.kind) return true
  if (textsApart(a.span, b.span) || textsApart(a.scope, b.scope)) return true
  return a.attribute?.key === b.attribute?.key && textsApart(a.attribute?.value, b.attribute?.value)
}

function textsApart(a: TextMatch | undefined, b: TextMatch | undefined): boolean {
  if (a === undefined || b === undefined) return false
  if (a.how === 'exact') return !b.test(a.text)
  if (b.how === 'exact') return !a.test(b.text)
  return a.how === 'prefix' && b.how === 'prefix' && !a.test(b.text) && !b.test(a.text)
}
