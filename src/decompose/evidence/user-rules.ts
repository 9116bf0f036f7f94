import { Phase } from '../../model/phases.ts'
import { Kind, type TraceColumns, type Want } from '../../model/spans.ts'
import type { Strings } from '../../runtime/strings.ts'
import { Trait } from '../cut/tree.ts'
import { isEpoch, nsPerUnit, type Rule, type TextMatch } from '../rules/rule.ts'
import type { Claims, EvidenceSource, LeadSource, LeadView, SpanView } from './source.ts'
import { createTextCache } from './text-cache.ts'

const HIGH_WORD = 2 ** 32
const NO_WANT = -1

export interface UserRules {
  readonly claims: EvidenceSource
  /** What rules have asked for since the start, by a text that tells wants apart: for the rules that come after these. */
  readonly asked: ReadonlyMap<string, number>
  readonly leads: LeadSource
  /** Whether a rule may match spans of this name (interned). */
  readonly concerns: (name: number) => boolean
  /** Trait that the rules give a span which is nothing else by its name. */
  readonly traitOf: (trace: TraceColumns, row: number) => number
}

/** A rule with the wants that answer it (their numbers within the source), and what is remembered of its patterns. */
interface Compiled {
  readonly rule: Rule
  readonly span: ((id: number) => boolean) | undefined
  readonly scope: ((id: number) => boolean) | undefined
  readonly value: ((id: number) => boolean) | undefined
  readonly attributeText: number
  readonly attributeNumber: number
  readonly event: number
  readonly field: number
  readonly nsPerUnit: number
  readonly epoch: boolean
}

/**
 * What users say of their spans. Names, scopes and values are compared once per interned string. Rules are tried in order;
 * of those that match, the first for each phase counts.
 *
 * A rule that calls whole spans queue_wait makes them wait spans, like those known by name; its requests stay requests.
 */
export function createUserRules(
  rules: readonly Rule[],
  strings: Strings,
  { firstCode, askedBefore }: { readonly firstCode: number; readonly askedBefore: ReadonlyMap<string, number> }
): UserRules {
  const asked = new Map(askedBefore)
  const wants: (Want | undefined)[] = Array.from(asked, () => undefined)
  const want = (wanted: Want, pattern?: TextMatch): number => {
    const { how, text } = pattern ?? {}
    const key = JSON.stringify({ ...wanted, how, text })
    const index = asked.get(key) ?? asked.size
    asked.set(key, index)
    wants[index] = wanted
    return index
  }

  const compiled = rules.map((rule): Compiled => {
    const { attribute, event, field } = rule
    return {
      rule,
      span: rule.span && createTextCache(rule.span.test, strings),
      scope: rule.scope && createTextCache(rule.scope.test, strings),
      value: attribute?.value && createTextCache(attribute.value.test, strings),
      attributeText:
        attribute === undefined ? NO_WANT : want({ from: 'attribute', key: attribute.key, type: 'string' }),
      attributeNumber:
        attribute === undefined ? NO_WANT : want({ from: 'attribute', key: attribute.key, type: 'number' }),
      event: event === undefined ? NO_WANT : want(eventWant(event, field), event.name),
      field:
        field === undefined || event !== undefined ? NO_WANT : want({ from: 'attribute', key: field, type: 'number' }),
      nsPerUnit: nsPerUnit(rule.unit),
      epoch: isEpoch(rule.unit)
    }
  })
  const claiming = compiled.filter(({ rule }) => rule.endsAt !== 'span_start')
  const leading = compiled.filter(({ rule }) => rule.endsAt === 'span_start')
  const byName = claiming.filter(({ rule }) => rule.endsAt === 'whole_span')

  function numberOf(trace: TraceColumns, row: number, wanted: number): number {
    const { evidence, evidenceEnd } = trace
    const end = evidenceEnd[row] as number
    for (let i = row === 0 ? 0 : (evidenceEnd[row - 1] as number); i < end; i++) {
      if (evidence.code[i] === firstCode + wanted) return evidence.a[i] as number
    }
    return NaN
  }

  function matches(one: Compiled, trace: TraceColumns, row: number): boolean {
    const { rule, span, scope } = one
    if (rule.kind !== undefined && trace.kind[row] !== rule.kind) return false
    if (span !== undefined && !span(trace.name[row] as number)) return false
    if (scope !== undefined && !scope(trace.scope[row] as number)) return false
    return rule.attribute === undefined || attributeMatches(one, trace, row)
  }

  function attributeMatches(one: Compiled, trace: TraceColumns, row: number): boolean {
    const id = numberOf(trace, row, one.attributeText)
    if (!Number.isNaN(id)) return one.value === undefined || one.value(id)
    const number = numberOf(trace, row, one.attributeNumber)
    if (Number.isNaN(number)) return false
    return one.rule.attribute?.value?.test(String(number)) ?? true
  }

  /** Claims of one rule that matches; whether it had anything to say. */
  function apply(one: Compiled, view: SpanView, claims: Claims): boolean {
    const { phase, grade, endsAt } = one.rule
    if (endsAt === 'whole_span') {
      claims.upTo(phase, grade, view.endNs - view.startNs)
      return true
    }
    if (endsAt === 'event_time' || one.event !== NO_WANT) return applyEvents(one, view, claims)
    const value = view.number(one.field)
    if (Number.isNaN(value)) return false
    if (endsAt === 'self_time') claims.amount(phase, grade, Math.round(value * one.nsPerUnit))
    else claims.placed(phase, grade, startOf(one, view, value, view.endNs), view.endNs)
    return true
  }

  function applyEvents(one: Compiled, view: SpanView, claims: Claims): boolean {
    const { phase, grade, endsAt, field } = one.rule
    let any = false
    view.events(one.event, (atNs, value) => {
      any = true
      const endNs = endsAt === 'span_end' ? view.endNs : atNs
      claims.placed(phase, grade, field === undefined ? view.startNs : startOf(one, view, value, endNs), endNs)
    })
    return any
  }

  /** Start of what ends at `endNs`: so long before, or at the moment that was said, on the clock of the span. */
  function startOf(one: Compiled, view: SpanView, value: number, endNs: number): number {
    const ns = Math.round(value * one.nsPerUnit)
    if (!one.epoch) return endNs - ns
    const { trace } = view.tree
    const shiftNs = view.startNs - (trace.startNs[view.span] as number)
    return ns - (trace.baseHi * HIGH_WORD + trace.baseLo) + shiftNs
  }

  function leadOf(one: Compiled, view: LeadView): number {
    const value = view.number(one.field)
    return one.epoch ? view.startEpochNs - value * one.nsPerUnit : value * one.nsPerUnit
  }

  return {
    asked,
    claims: {
      name: 'user_rules',
      wants,
      claim(view, claims) {
        let taken = 0
        for (const one of claiming) {
          const bit = 1 << one.rule.phase
          if ((taken & bit) !== 0 || !matches(one, view.tree.trace, view.span)) continue
          if (apply(one, view, claims)) taken |= bit
        }
      }
    },
    leads: {
      name: 'user_rules',
      wants: [],
      leadNs(view) {
        for (const one of leading) {
          if (!matches(one, view.tree.trace, view.span)) continue
          const ns = leadOf(one, view)
          if (!Number.isNaN(ns)) return ns
        }
        return NaN
      }
    },
    concerns: (name) => byName.some(({ span }) => span === undefined || span(name)),
    traitOf(trace, row) {
      for (const one of byName) {
        if (!matches(one, trace, row)) continue
        return one.rule.phase === Phase.queueWait && canWait(trace, row, one.rule) ? Trait.wait : Trait.ruled
      }
      return Trait.none
    }
  }
}

function eventWant({ name, where }: NonNullable<Rule['event']>, field: string | undefined): Want {
  return {
    from: 'event',
    ...(name.how === 'exact' ? { name: name.text } : { nameTest: name.test }),
    ...(where !== undefined && { where }),
    ...(field !== undefined && { field })
  }
}

/** A wait span is nobody's request: entry spans become one only where the rule names their kind, and roots never. */
function canWait(trace: TraceColumns, row: number, { kind }: Rule): boolean {
  if (((trace.parentId[2 * row] as number) | (trace.parentId[2 * row + 1] as number)) === 0) return false
  if (trace.kind[row] === Kind.server) return false
  return trace.kind[row] !== Kind.consumer || kind === Kind.consumer
}
