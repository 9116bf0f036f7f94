import { Evidence, type TraceColumns, type Wants } from '../../model/spans.ts'
import type { Strings } from '../../runtime/strings.ts'
import type { Rule } from '../rules/rule.ts'
import { attemptWants, createIsResent, type IsResent } from './attempts.ts'
import { busyIdle } from './busy-idle.ts'
import { enqueueStamps } from './enqueue-stamps.ts'
import { httpTraceEvents } from './http-trace-events.ts'
import { inferred } from './inferred.ts'
import { queryEvents } from './query-events.ts'
import type { EvidenceSource, LeadSource } from './source.ts'
import { tailspanAttributes } from './tailspan-attributes.ts'
import { createUserRules, type UserRules } from './user-rules.ts'
import { waitEvents } from './wait-events.ts'

/**
 * All sources that read attributes or events, strongest first: of the same grade and sort of claim, the first is served first.
 * The tree itself (calls, peers, wait spans) and the operation's own body are the judge's.
 */
const claimSources: readonly EvidenceSource[] = [
  tailspanAttributes,
  waitEvents,
  httpTraceEvents,
  busyIdle,
  queryEvents,
  inferred
]
/** Sources that say how long a request waited before it began. */
const leadSources: readonly LeadSource[] = [enqueueStamps]

/** Labels of conflicts, and of claims where they are explained. */
export const sourceNames: readonly string[] = [...claimSources, ...leadSources, { name: 'user_rules' }].map(
  ({ name }) => name
)

/** A source with the code of its first want, and its index in `sourceNames`. */
interface Bound<S> {
  readonly source: S
  readonly firstCode: number
  readonly index: number
}
export type BoundClaims = Bound<EvidenceSource>
export type BoundLeads = Bound<LeadSource>

export interface Sources {
  readonly userRules: UserRules
  readonly claims: readonly BoundClaims[]
  readonly leads: readonly BoundLeads[]
  readonly isResent: IsResent
  /** By code: a bit of the place in `claims` of the source that wants it, 0 for others. */
  readonly claimBits: Uint32Array
  /** Everything they want kept; pipeline.ts hands it to accept's decoder. */
  readonly wants: Wants
}

/**
 * The built-in sources, and what users know better: after what services say of themselves, before everything else. Codes of the
 * sources `before` mean the same: spans that carry them are still here when rules are changed.
 */
export function createSources(rules: readonly Rule[], strings: Strings, before?: Sources): Sources {
  const wants: Wants[number][] = []
  const bind = <S extends EvidenceSource | LeadSource>(source: S): Bound<S> => {
    const firstCode = Evidence.firstWanted + wants.length
    wants.push(...source.wants)
    return { source, firstCode, index: sourceNames.indexOf(source.name) }
  }
  const claims = claimSources.map(bind)
  const leads = leadSources.map(bind)
  const isResent = createIsResent(Evidence.firstWanted + wants.length)
  wants.push(...attemptWants)
  const userRules = createUserRules(rules, strings, {
    firstCode: Evidence.firstWanted + wants.length,
    askedBefore: before?.userRules.asked ?? new Map<string, number>()
  })
  const ruled = bind(userRules.claims)
  const rulesLead = { ...ruled, source: userRules.leads }
  const allClaims = rules.length === 0 ? claims : claims.toSpliced(1, 0, ruled)
  const claimBits = new Uint32Array(Evidence.firstWanted + wants.length)
  for (const [i, { source, firstCode }] of allClaims.entries()) {
    claimBits.fill(1 << i, firstCode, firstCode + source.wants.length)
    if (source === inferred) claimBits.fill(1 << i, Evidence.inferred, Evidence.firstWanted)
  }
  return {
    userRules,
    wants,
    claimBits,
    claims: allClaims,
    isResent,
    leads: rules.length === 0 ? leads : [rulesLead, ...leads]
  }
}

/** What the sources want that are always there; those of rules come after them. */
export const evidenceWants: Wants = [
  ...[...claimSources, ...leadSources].flatMap(({ wants }) => wants),
  ...attemptWants
]

/** Whether anything was kept of a span for any source. */
export function hasEvidence({ evidence, evidenceEnd }: TraceColumns, span: number): boolean {
  const end = evidenceEnd[span] as number
  for (let i = span === 0 ? 0 : (evidenceEnd[span - 1] as number); i < end; i++) {
    if ((evidence.code[i] as number) >= Evidence.inferred) return true
  }
  return false
}
