/** A trace as its waterfall needs it: who is below whom, which rows are open, and where a span's own time lies. */

/**
 * @typedef {{ id: string[], parent: number[], start_ns: number[], duration_ns: number[], name: number[], service: number[],
 *   version: number[], kind: number[], outcome: string[] }} SpanColumns
 * @typedef {[span: number, operation: number, duration_ns: number, lead_wait_ns: number, band: string | null,
 *   p50_ns: number | null, p99_ns: number | null]} RequestRow
 * @typedef {{ operation: number, duration_ns: number, lead_wait_ns: number, band: string | null, p50_ns: number | null,
 *   p99_ns: number | null }} RequestOfTrace
 * @typedef {{ trace_id: string, complete: boolean, start_unix_nano: string, duration_ns: number, spans_total: number,
 *   root: number, spans: SpanColumns, own: number[], path: number[], requests: RequestRow[], texts: string[],
 *   blame: { service: string, operation: string, phase: string, grade: string | null, ns: number }[] }} Waterfall
 * @typedef {{ phase: number, grade: number, ns: number }} OwnTime
 */

export const GRADES = 3
const DOWNSTREAM = 5

export class TraceModel {
  /** @param {Waterfall} waterfall */
  constructor(waterfall) {
    const { spans, own, path, requests } = waterfall
    this.waterfall = waterfall
    this.spans = spans
    this.n = spans.id.length
    this.depth = new Int32Array(this.n)
    /** @type {Set<number>} */
    this.closed = new Set()
    this.onPath = new Uint8Array(this.n)
    /** @type {Map<number, RequestOfTrace>} */
    this.requestOf = new Map(requests.map((row) => [row[0], requestOf(row)]))
    /** Sections of the path by span, as indexes into `path`. @type {Map<number, number[]>} */
    this.sections = new Map()
    for (let at = 0; at < path.length; at += 3) {
      const span = path[at]
      const known = this.sections.get(span)
      if (known === undefined) this.sections.set(span, [at])
      else known.push(at)
      for (let up = span; up >= 0 && this.onPath[up] === 0; up = spans.parent[up]) this.onPath[up] = 1
    }
    const { child, childEnd } = linkChildren(spans.parent)
    this.child = child
    this.childEnd = childEnd
    /** First triple of each span in `own`. */
    this.ownFirst = new Int32Array(this.n + 1).fill(own.length)
    for (let at = own.length - 3; at >= 0; at -= 3) this.ownFirst[own[at]] = at
    for (let span = this.n - 1; span >= 0; span--)
      this.ownFirst[span] = Math.min(this.ownFirst[span], this.ownFirst[span + 1])
    /** @type {Map<number, Float64Array>} */
    this.gaps = new Map()
    /** What fills them, of spans that were in sight. @type {Map<number, OwnTime[]>} */
    this.times = new Map()
  }

  /**
   * Children of a span; of -1 the roots.
   * @param {number} span
   */
  children(span) {
    return this.child.subarray(span < 0 ? 0 : this.childEnd[span], this.childEnd[span + 1])
  }

  /**
   * Spans to show, top down. A stack of its own: chains may be as deep as the trace is long.
   * @param {boolean} pathOnly
   * @returns {Int32Array}
   */
  rows(pathOnly) {
    const rows = new Int32Array(this.n)
    let n = 0
    const stack = [...this.children(-1)].reverse()
    for (let span = stack.pop(); span !== undefined; span = stack.pop()) {
      if (pathOnly && this.onPath[span] === 0) continue
      const parent = this.spans.parent[span]
      this.depth[span] = parent < 0 ? 0 : this.depth[parent] + 1
      rows[n++] = span
      if (this.closed.has(span)) continue
      const below = this.children(span)
      for (let at = below.length - 1; at >= 0; at--) stack.push(below[at])
    }
    return rows.subarray(0, n)
  }

  /**
   * A span's own time by phase and grade.
   * @param {number} span
   * @returns {OwnTime[]}
   */
  ownTimes(span) {
    const { own } = this.waterfall
    const times = []
    for (let at = this.ownFirst[span]; at < this.ownFirst[span + 1]; at += 3) {
      const slot = own[at + 1]
      times.push({ phase: Math.floor(slot / GRADES), grade: slot % GRADES, ns: own[at + 2] })
    }
    return times
  }

  /**
   * Where no child covers a span: starts and ends in turn. That is where its own time lies, though not which phase when.
   * @param {number} span
   * @returns {Float64Array}
   */
  gapsOf(span) {
    const known = this.gaps.get(span)
    if (known !== undefined) return known
    const { start_ns: start, duration_ns: length } = this.spans
    const end = start[span] + length[span]
    const gaps = []
    let at = start[span]
    for (const child of this.children(span)) {
      const childEnd = Math.min(end, start[child] + length[child])
      if (start[child] > at && at < end) gaps.push(at, Math.min(end, start[child]))
      at = Math.max(at, childEnd)
    }
    if (at < end) gaps.push(at, end)
    const found = Float64Array.from(gaps)
    this.gaps.set(span, found)
    return found
  }

  /**
   * What fills the gaps: own times, less what waiting for a peer lies below children.
   * @param {number} span
   * @returns {OwnTime[]}
   */
  gapTimes(span) {
    const known = this.times.get(span)
    if (known !== undefined) return known
    const gaps = this.gapsOf(span)
    let open = 0
    for (let at = 0; at < gaps.length; at += 2) open += gaps[at + 1] - gaps[at]
    const covered = this.spans.duration_ns[span] - open
    const times = this.ownTimes(span)
      .map((time) => (time.phase === DOWNSTREAM ? { ...time, ns: Math.max(0, time.ns - covered) } : time))
      .filter(({ ns }) => ns > 0)
    this.times.set(span, times)
    return times
  }
}

/**
 * Children in order of start, in one array behind their ends: slot 0 holds the roots, slot i + 1 the children of span i.
 * @param {number[]} parent
 */
function linkChildren(parent) {
  const n = parent.length
  const childEnd = new Int32Array(n + 1)
  for (const above of parent) childEnd[above + 1] += 1
  for (let slot = 1; slot <= n; slot++) childEnd[slot] += childEnd[slot - 1]
  const next = Int32Array.from({ length: n + 1 }, (_, slot) => (slot === 0 ? 0 : childEnd[slot - 1]))
  const child = new Int32Array(n)
  for (let span = 0; span < n; span++) child[next[parent[span] + 1]++] = span
  return { child, childEnd }
}

/**
 * @param {RequestRow} row
 * @returns {RequestOfTrace}
 */
function requestOf([, operation, duration_ns, lead_wait_ns, band, p50_ns, p99_ns]) {
  return { operation, duration_ns, lead_wait_ns, band, p50_ns, p99_ns }
}
