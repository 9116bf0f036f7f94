import type { RuntimeReading } from '../../learned/runtime-metrics/index.ts'
import type { Release, Surroundings } from './neighbours.ts'
import type { Suspect } from './suspects.ts'

/** What the rules so far say of a suspect's excess. Each rule works on what the former left. */
export interface Findings {
  /** Length over the median that nothing explains yet. */
  leftNs: number
  /** Waited in line until then, on the tree's clock; -Infinity = not at all. */
  turnNs: number
  queueNs: number
  /** The process stood still: scheduling, or gc. */
  stallNs: number
  /** What weak witnesses say beyond that; counts only within the budget. */
  weakNs: number
  gcNs: number
  /** Its own code ran; of what all others leave. */
  ranNs: number
  /** Of a wait span: in line, but not for certain. */
  doubtedNs: number
  /** Before the callee's span: its runtime was late. Network for the caller; in blame the callee's scheduling, or gc. */
  calleeNs: number
  calleeGc: boolean
}

export interface RuleTools {
  /** What else went on in the suspect's process during its excess; the same object for each question. */
  readonly around: (suspect: Suspect) => Surroundings
  /** Who waited for a call beside it. */
  readonly released: (suspect: Suspect) => Release
  /** The same in the peer's process. */
  readonly aroundPeer: (suspect: Suspect) => Surroundings
  /** Pieces that the peer's process began during the excess, and in an equally long time that it would have begun in before. */
  readonly begunByPeer: (suspect: Suspect) => { readonly during: number; readonly usually: number }
  /** When a request that arrived then got a server of the pool, on the process's clock; -Infinity when at once. */
  readonly turnNs: (suspect: Suspect) => number
  /** The same of servers that its process shares, from who was served meanwhile. */
  readonly sharedTurnNs: (suspect: Suspect) => number
  /** What the process's runtime said of the time of the excess. */
  readonly runtime: (suspect: Suspect) => RuntimeReading
  /** The same of the peer's process. */
  readonly runtimeOfPeer: (suspect: Suspect) => RuntimeReading
}

/** One idea of inference.md: a file, and a line in the table of `rules/index.ts`. */
export interface Rule<Name extends string = string> {
  /** As `decompose.inference.without` names it. */
  readonly name: Name
  readonly judge: (suspect: Suspect, findings: Findings, tools: RuleTools) => void
}

/** Explains up to `ns` of the excess; gives how much there was to explain. */
export function explain(findings: Findings, ns: number): number {
  const taken = Math.max(0, Math.min(ns, findings.leftNs))
  findings.leftNs -= taken
  return taken
}
