import { PieceKind } from '../pieces.ts'
import type { Rule } from '../rule.ts'

/** A span without children that says how long it was polled only computes: what it was idle for beyond its usual, it waited for a poll. */
export const leafIdle: Rule<'leaf_idle'> = {
  name: 'leaf_idle',
  judge(suspect, findings) {
    if (suspect.kind === PieceKind.own && suspect.pollsKnown === 1) findings.stallNs = findings.leftNs
  }
}
