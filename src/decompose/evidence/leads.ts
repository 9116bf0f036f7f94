import type { Tree } from '../cut/tree.ts'
import type { BoundLeads, Sources } from './index.ts'
import type { LeadView } from './source.ts'
import type { Tally } from './tally.ts'

const HIGH_WORD = 2 ** 32
/** Nothing waits longer for a live request; a message that did was not what made it slow. */
const LEAD_MAX_NS = 86_400e9

/** How long requests waited before their entry spans, by what their attributes say. */
export function createLeads(sources: Sources, tally: Tally): { readonly leadNs: (tree: Tree, span: number) => number } {
  let base = 0
  const view = {
    tree: undefined as unknown as Tree,
    span: 0,
    startEpochNs: 0,
    number: (want: number): number => read('a', base + want),
    exactNs: (want: number): number => read('b', base + want)
  } satisfies LeadView

  function read(column: 'a' | 'b', code: number): number {
    const { evidence, evidenceEnd } = view.tree.trace
    const end = evidenceEnd[view.span] as number
    for (let i = view.span === 0 ? 0 : (evidenceEnd[view.span - 1] as number); i < end; i++) {
      if (evidence.code[i] === code) return evidence[column][i] as number
    }
    return NaN
  }

  function plausible({ source, firstCode, index }: BoundLeads): number {
    base = firstCode
    const leadNs = source.leadNs(view)
    if (Number.isNaN(leadNs)) return NaN
    if (leadNs >= 0 && leadNs <= LEAD_MAX_NS) return Math.round(leadNs)
    tally.doubt(index)
    return NaN
  }

  return {
    /** Of the strongest source that says something, 0 without one. */
    leadNs(tree, span) {
      const { trace } = tree
      view.tree = tree
      view.span = span
      view.startEpochNs = trace.baseHi * HIGH_WORD + trace.baseLo + (trace.startNs[span] as number)
      for (const bound of sources.leads) {
        const leadNs = plausible(bound)
        if (!Number.isNaN(leadNs)) return leadNs
      }
      return 0
    }
  }
}
