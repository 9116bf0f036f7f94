import type { SpanOf } from '../../builders/traces.ts'

export interface NaiveSection {
  readonly id: number
  readonly fromNs: number
  readonly toNs: number
}

/**
 * The critical path as its rules are written down, by recursion over objects: slow and obvious. Knows nothing of processes,
 * units or columns.
 */
export function naivePath(spans: readonly SpanOf[], root: SpanOf): NaiveSection[] {
  const sections: NaiveSection[] = []
  visit(root, root.startNs, root.endNs)
  sections.sort((a, b) => a.fromNs - b.fromNs)
  return sections

  function visit(span: SpanOf, fromNs: number, toNs: number): void {
    let cursor = toNs
    for (const child of waitedFor(spans, span, fromNs, toNs)) {
      if (child.toNs < cursor) sections.push({ id: span.id, fromNs: child.toNs, toNs: cursor })
      visit(child.span, child.fromNs, child.toNs)
      cursor = child.fromNs
    }
    if (fromNs < cursor) sections.push({ id: span.id, fromNs, toNs: cursor })
  }
}

/** The children on the path of a span between two moments, the last first. */
export function waitedFor(
  spans: readonly SpanOf[],
  span: SpanOf,
  fromNs: number,
  toNs: number
): { readonly span: SpanOf; readonly fromNs: number; readonly toNs: number }[] {
  const found: { span: SpanOf; fromNs: number; toNs: number }[] = []
  const children = spans
    .filter(
      (child) =>
        child.parent === span.id && child !== span && Math.min(child.endNs, toNs) > Math.max(child.startNs, fromNs)
    )
    .sort((a, b) => b.endNs - a.endNs || a.startNs - b.startNs || a.id - b.id)
  const blocking = children.filter(
    (child) => !(child.kind === 'consumer' && span.kind === 'producer') && child.linkTo !== span.id
  )
  let cursor = toNs
  let chosen: SpanOf | undefined
  for (const child of blocking) {
    const start = Math.max(child.startNs, fromNs)
    const stop = Math.min(child.endNs, toNs)
    if (stop > cursor && !nearlyFollows(span, child, chosen, cursor, toNs - fromNs)) continue
    const end = Math.min(stop, cursor)
    if (end <= start) continue
    found.push({ span: child, fromNs: start, toNs: end })
    cursor = start
    chosen = child
  }
  return found

  function nearlyFollows(
    parent: SpanOf,
    child: SpanOf,
    chosen: SpanOf | undefined,
    cursor: number,
    parentNs: number
  ): boolean {
    if (chosen === undefined || chosen.startNs !== cursor) return false
    if (child.startNs >= chosen.startNs || child.endNs >= chosen.endNs) return false
    if (child.endNs - cursor >= 0.01 * parentNs) return false
    const others = spans.filter(
      (other) =>
        other.parent === parent.id &&
        other !== child &&
        other !== chosen &&
        other.startNs < other.endNs &&
        other !== parent
    )
    const within = (ns: number) => ns >= cursor && ns <= child.endNs
    return !others.some((other) => within(other.startNs) || within(other.endNs)) && !within(chosen.endNs)
  }
}

/** Sections of one span that touch are one. */
export function joined(sections: readonly NaiveSection[]): NaiveSection[] {
  const out: NaiveSection[] = []
  for (const section of sections) {
    const last = out.at(-1)
    if (last?.id === section.id && last.toNs === section.fromNs) out[out.length - 1] = { ...last, toNs: section.toNs }
    else out.push(section)
  }
  return out
}
