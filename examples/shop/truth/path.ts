import { Kind } from '../../../src/model/spans.ts'
import { type Span } from './spans.ts'

export interface Section {
  readonly span: Span
  readonly fromNs: number
  readonly toNs: number
}

/** Overlap of siblings that still counts as one after the other, as a share of their parent. */
const OVERLAP_SHARE = 0.01

/**
 * The critical path within one process as its rules are written down, slow and obvious: from the end backwards, to the child
 * that finished last. It is written again here so that truth does not lean on the code that it judges; that both agree is checked.
 */
export function pathWithin(
  span: Span,
  { fromNs, toNs }: Omit<Section, 'span'>,
  isEntry: (span: Span) => boolean
): Section[] {
  const sections: Section[] = []
  const add = (of: Span, from: number, to: number): void => {
    if (from < to) sections.push({ span: of, fromNs: from, toNs: to })
  }

  function visit(of: Span, from: number, to: number): void {
    let cursor = to
    let chosen: Span | undefined
    for (const child of lastFirst(of, isEntry)) {
      const start = Math.max(child.startNs, from)
      const stop = Math.min(child.endNs, to)
      if (stop <= start || start >= cursor) continue
      if (stop > cursor && !nearlyFollows(child, { chosen, cursor, overlapNs: OVERLAP_SHARE * (to - from) })) continue
      const end = Math.min(stop, cursor)
      add(of, end, cursor)
      visit(child, start, end)
      cursor = start
      chosen = child
    }
    add(of, from, cursor)
  }

  visit(span, fromNs, toNs)
  return sections.sort((a, b) => a.fromNs - b.fromNs)
}

function lastFirst({ children }: Span, isEntry: (span: Span) => boolean): Span[] {
  return children.filter((child) => !isEntry(child)).sort((a, b) => b.endNs - a.endNs || a.startNs - b.startNs)
}

/** It began and ended first, and nothing else happens while both are open. */
function nearlyFollows(
  child: Span,
  { chosen, cursor, overlapNs }: { chosen: Span | undefined; cursor: number; overlapNs: number }
): boolean {
  if (chosen === undefined || chosen.startNs !== cursor) return false
  if (child.startNs >= chosen.startNs || child.endNs >= chosen.endNs || child.endNs - cursor >= overlapNs) return false
  const within = (ns: number): boolean => ns >= cursor && ns <= child.endNs
  const siblings = child.parent?.children ?? []
  return !siblings.some(
    (other) =>
      other !== child &&
      other !== chosen &&
      other.startNs < other.endNs &&
      (within(other.startNs) || within(other.endNs))
  )
}

/** A stretch of a section, and the child off the path that was open meanwhile. */
export interface Piece {
  readonly cover: Span | undefined
  readonly fromNs: number
  readonly toNs: number
}

/** Splits a section of the path at its span's children: of several that are open at once, waiting goes first, then calls, then the rest. */
export function piecesOf({ span, fromNs, toNs }: Section, isEntry: (span: Span) => boolean): Piece[] {
  const covers = span.children.filter(
    (child) => !isEntry(child) && child.startNs < toNs && child.endNs > fromNs && child.endNs > child.startNs
  )
  if (covers.length === 0) return [{ cover: undefined, fromNs, toNs }]
  const bounds = covers.flatMap(({ startNs, endNs }) => [startNs, endNs]).filter((ns) => ns > fromNs && ns < toNs)
  const edges = [...new Set([fromNs, ...bounds, toNs])].sort((a, b) => a - b)
  return edges.slice(1).map((end, i) => {
    const start = edges[i] as number
    const open = covers.filter((child) => child.startNs <= start && child.endNs >= end)
    return { cover: open.sort((a, b) => rank(a) - rank(b))[0], fromNs: start, toNs: end }
  })
}

function rank({ name, kind }: Span): number {
  if (isWaitSpan(name)) return 0
  return kind === Kind.client || kind === Kind.producer ? 1 : 2
}

/** The wait spans of the shop's own services. */
function isWaitSpan(name: string): boolean {
  return name === 'queue_wait' || name === 'pool.acquire'
}
