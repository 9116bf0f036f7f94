import type { ExplainedClaim } from '../model/decomposition.ts'
import { Grade, Phase } from '../model/phases.ts'
import { Kind } from '../model/spans.ts'
import { type Cut, UnitKind } from './cut/cut.ts'
import { Trait, type Tree } from './cut/tree.ts'
import { sourceNames } from './evidence/index.ts'
import type { LoggedClaim } from './judge/claim-log.ts'
import { RowFlag, type Verdict } from './judge/judge.ts'

interface Judged {
  readonly tree: Tree
  readonly cut: Cut
  readonly verdict: Verdict
  readonly log: readonly LoggedClaim[]
}

/** Every claim on the spans of each request, and under the names of its own the time that no evidence source spoke of. */
export function explainClaims(judged: Judged, requests: number): ExplainedClaim[] {
  const { log, cut } = judged
  const claims: ExplainedClaim[] = []
  for (let unit = 0; unit < cut.units; unit++) {
    const request = requestOf(judged, unit, requests)
    if (request < 0) continue
    for (const { source, note, ...claim } of log.filter((entry) => entry.unit === unit)) {
      const aside = cut.unitKind[unit] === UnitKind.child ? OFF_PATH : ''
      claims.push({ ...without(claim), request, source: sourceNames[source] ?? '', note: note === '' ? aside : note })
    }
    claims.push(...restOf(judged, unit, request))
  }
  return claims.sort((a, b) => a.request - b.request || startOf(judged, a) - startOf(judged, b) || a.span - b.span)
}

const OFF_PATH = 'off the path: scaled to what it covers'

const without = ({ span, phase, grade, askedNs, bookedNs }: Omit<LoggedClaim, 'source' | 'note'>) => ({
  span,
  phase,
  grade,
  askedNs,
  bookedNs
})

const startOf = ({ tree }: Judged, { span }: ExplainedClaim): number => tree.startNs[span] as number

/** Windows are parts of requests that other units hold whole. */
function requestOf({ tree, cut }: Judged, unit: number, requests: number): number {
  if (cut.unitKind[unit] === UnitKind.request) return unit < requests ? unit : -1
  if (cut.unitKind[unit] === UnitKind.window) return -1
  const owner = tree.owner[cut.unitSpan[unit] as number] as number
  return owner < 0 ? -1 : (cut.unitOf[owner] as number)
}

/** What the verdict books beyond the claims: the tree's own evidence, the body, and what is left. */
function restOf({ verdict, log, tree, cut }: Judged, unit: number, request: number): ExplainedClaim[] {
  const rows = new Map<string, { span: number; phase: number; grade: number; peer: boolean; ns: number }>()
  for (let row = verdict.rowFirst[unit] as number; row < (verdict.rowEnd[unit] as number); row++) {
    const span = verdict.span[row] as number
    const phase = verdict.phase[row] as number
    const grade = verdict.grade[row] as number
    const peer = ((verdict.flags[row] as number) & RowFlag.peer) !== 0
    const key = [span, phase, grade].join()
    const known = rows.get(key) ?? { span, phase, grade, peer, ns: 0 }
    known.ns += verdict.ns[row] as number
    rows.set(key, known)
  }
  for (const { unit: of, span, phase, grade, bookedNs } of log) {
    const known = of === unit ? rows.get([span, phase, grade].join()) : undefined
    if (known !== undefined) known.ns -= bookedNs
  }
  const note = cut.unitKind[unit] === UnitKind.child ? OFF_PATH : ''
  return [...rows.values()]
    .filter(({ ns }) => ns > 0)
    .map(({ span, phase, grade, peer, ns }) => {
      const source = peer ? 'peer_span' : sourceOf(tree, span, phase, grade)
      return { request, span, source, phase, grade, askedNs: ns, bookedNs: ns, note }
    })
}

/** Whose judgement a row without a source of evidence is. */
function sourceOf(tree: Tree, span: number, phase: number, grade: number): string {
  if (phase === Phase.unattributed) return 'nothing'
  if (phase === Phase.queueWait && tree.trait[span] === Trait.wait) return 'wait_span'
  if (phase === Phase.network && tree.trait[span] === Trait.transport) return 'transport_span'
  if (phase === Phase.processing && grade === Grade.inferred) return 'body'
  if (phase === Phase.network) return 'call_gap'
  const kind = tree.trace.kind[span]
  const isCall = kind === Kind.client || kind === Kind.producer
  return phase === Phase.downstream && isCall ? 'call_span' : 'child_off_path'
}
