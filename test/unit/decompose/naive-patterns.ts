import { type PatternName } from '../../../src/model/patterns.ts'
import type { SpanOf } from '../../builders/traces.ts'
import { waitedFor } from './naive-path.ts'

interface Counted {
  readonly pattern: PatternName
  readonly fromNs: number
  readonly toNs: number
}
/** What counts of the calls themselves and of the pauses before them. */
interface Roles {
  readonly calls: Map<SpanOf, Counted>
  readonly pauses: Map<SpanOf, Counted>
}

const failed = (span: SpanOf): boolean => (span.outcome ?? 0) !== 0
const lengthOf = (span: SpanOf): number => span.endNs - span.startNs
const overNs = (span: SpanOf): number => span.endNs - Math.floor(lengthOf(span) / 100)
const byStart = (a: SpanOf, b: SpanOf): number => a.startNs - b.startNs || b.endNs - a.endNs || a.id - b.id
const byEnd = (a: SpanOf, b: SpanOf): number => b.endNs - a.endNs || a.startNs - b.startNs || a.id - b.id

/** Patterns as their rules are written down, nanosecond by nanosecond: slow and obvious. Knows one request of one process. */
export function naivePatterns(spans: readonly SpanOf[], root: SpanOf): Record<PatternName, number> {
  const counted = new Map<number, PatternName>()
  visit(root, root.startNs, root.endNs)
  const sums = { retry: 0, hedge: 0, straggler: 0 }
  for (const pattern of counted.values()) sums[pattern] += 1
  return sums

  /** Spans above count first. */
  function visit(span: SpanOf, fromNs: number, toNs: number): void {
    const { calls, pauses } = rolesBelow(spans, span)
    const onPath = waitedFor(spans, span, fromNs, toNs)
    for (const [i, call] of onPath.entries()) {
      mark(calls.get(call.span), call.fromNs, call.toNs)
      mark(pauses.get(call.span), onPath[i + 1]?.toNs ?? fromNs, call.fromNs)
    }
    for (const call of onPath) if (call.span.service === root.service) visit(call.span, call.fromNs, call.toNs)
  }

  function mark(role: Counted | undefined, fromNs: number, toNs: number): void {
    if (role === undefined) return
    for (let ns = Math.max(fromNs, role.fromNs); ns < Math.min(toNs, role.toNs); ns++) {
      if (!counted.has(ns)) counted.set(ns, role.pattern)
    }
  }
}

function rolesBelow(spans: readonly SpanOf[], parent: SpanOf): Roles {
  const roles: Roles = { calls: new Map(), pauses: new Map() }
  const groups = new Map<string, SpanOf[]>()
  for (const span of spans) {
    if (span.parent !== parent.id || lengthOf(span) <= 0) continue
    const key = JSON.stringify([span.name, span.kind, span.service])
    groups.set(key, [...(groups.get(key) ?? []), span])
  }
  for (const group of groups.values()) {
    group.sort(byStart)
    const hedged = new Set<SpanOf>()
    for (const run of parallel(group)) for (const span of hedge(run, parent, roles)) hedged.add(span)
    retries(group, hedged, roles)
    for (const run of parallel(group.filter((span) => !hedged.has(span) && !roles.calls.has(span)))) {
      const lengths = run.map(lengthOf).sort((a, b) => a - b)
      const medianNs = lengths[Math.floor((run.length - 1) / 2)] as number
      const longest = Math.max(...lengths)
      const slowest = run.find((span) => lengthOf(span) === longest) as SpanOf
      if (longest > medianNs) {
        roles.calls.set(slowest, { pattern: 'straggler', fromNs: slowest.startNs + medianNs, toNs: slowest.endNs })
      }
    }
  }
  return roles
}

/** Runs of two or more that overlap, one with the next. */
function parallel(group: readonly SpanOf[]): SpanOf[][] {
  const runs: SpanOf[][] = []
  for (const span of group) {
    const last = runs.at(-1)
    if (last?.some((other) => overNs(other) > span.startNs) === true) last.push(span)
    else runs.push([span])
  }
  return runs.filter((run) => run.length > 1)
}

/** The members of the run, if they are hedged calls. */
function hedge(run: readonly SpanOf[], parent: SpanOf, roles: Roles): readonly SpanOf[] {
  const [one, ...others] = run as [SpanOf, ...SpanOf[]]
  const late = (span: SpanOf): boolean => span.startNs >= one.startNs + Math.max(1, lengthOf(one) / 100)
  const [winner, ...more] = run.filter((span) => !failed(span) && span.endNs <= parent.endNs)
  if (winner === undefined || more.length > 0 || !others.every(late)) return []
  const hedging = winner === one ? (others[0] as SpanOf) : winner
  for (const span of run) {
    if (span.startNs < hedging.startNs) {
      roles.calls.set(span, { pattern: 'hedge', fromNs: span.startNs, toNs: hedging.startNs })
    }
  }
  roles.pauses.set(hedging, { pattern: 'hedge', fromNs: one.startNs, toNs: hedging.startNs })
  return run
}

function retries(group: readonly SpanOf[], hedged: ReadonlySet<SpanOf>, roles: Roles): void {
  const failures = group.filter((span) => failed(span) && !hedged.has(span)).sort(byEnd)
  const nextOf = (failure: SpanOf): SpanOf | undefined => group.find((span) => span.startNs >= failure.endNs)
  for (const failure of failures) {
    const next = nextOf(failure)
    if (next === undefined) continue
    roles.calls.set(failure, { pattern: 'retry', fromNs: failure.startNs, toNs: next.startNs })
  }
  for (const span of group) {
    const before = failures.find((failure) => failure.endNs <= span.startNs)
    if (before === undefined || span.startNs >= (nextOf(before) as SpanOf).endNs || roles.pauses.has(span)) continue
    roles.pauses.set(span, { pattern: 'retry', fromNs: before.startNs, toNs: span.startNs })
  }
}
