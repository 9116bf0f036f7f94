import { enlarge, growFloats, growInts } from '../scratch.ts'

/** What a section of a span on the path is filled with. */
export const Fill = {
  /** The span's own time. */
  self: 0,
  /** A peer on the path: the path goes on in the peer's own unit. */
  peer: 1,
  /** A child off the path: the time is booked as that child's kind says. */
  child: 2
} as const

export const UnitKind = { request: 0, child: 1, window: 2 } as const

/**
 * What the walk finds. A unit is one span with what it waited for in its process, from one moment to another: a request,
 * an in-process child off the path, or the part of a request that a clipped call leaves of it. Sections tile their unit.
 */
export interface Cut {
  units: number
  unitSpan: Int32Array
  unitFromNs: Float64Array
  unitToNs: Float64Array
  unitKind: Uint8Array
  /** Sections of unit u are unitEnd[u-1] .. unitEnd[u]. */
  unitEnd: Uint32Array
  /** Unit of an entry span or off-path child by row, -1 without. */
  unitOf: Int32Array
  sections: number
  span: Int32Array
  fromNs: Float64Array
  toNs: Float64Array
  fill: Uint8Array
  /** The peer or child; -1 for self. */
  cover: Int32Array
  /** Rows on both sides of a piece of self time, -1 = the span's own edge, CUT = the window's. */
  left: Int32Array
  right: Int32Array
  /** 1 when the unit sees only a part of the span, because its parent ended or began in between. */
  clipped: Uint8Array
  /** Units on the root's critical path, the root's first. */
  pathUnits: number
  pathUnit: Int32Array
}

/** A piece that ends at a clipped edge says nothing about its usual length. */
export const CUT_EDGE = -2

/** A cut with room that grows. */
export interface CutWriter {
  readonly cut: Cut
  readonly clear: (rows: number) => void
  readonly addUnit: (span: number, fromNs: number, toNs: number, kind: number) => number
  /** The caller sets cover, left, right and clipped, as its fill asks. */
  readonly addSection: (span: number, fromNs: number, toNs: number, fill: number) => number
  readonly addPathUnit: (unit: number) => void
}

export function createCut(): CutWriter {
  const cut: Cut = {
    units: 0,
    unitSpan: growInts(16),
    unitFromNs: growFloats(16),
    unitToNs: growFloats(16),
    unitKind: new Uint8Array(16),
    unitEnd: new Uint32Array(16),
    unitOf: growInts(16),
    sections: 0,
    span: growInts(64),
    fromNs: growFloats(64),
    toNs: growFloats(64),
    fill: new Uint8Array(64),
    cover: growInts(64),
    left: growInts(64),
    right: growInts(64),
    clipped: new Uint8Array(64),
    pathUnits: 0,
    pathUnit: growInts(16)
  }
  function addUnit(span: number, fromNs: number, toNs: number, kind: number): number {
    const unit = cut.units++
    if (unit === cut.unitSpan.length) {
      cut.unitSpan = enlarge(cut.unitSpan, unit + 1)
      cut.unitFromNs = enlarge(cut.unitFromNs, unit + 1)
      cut.unitToNs = enlarge(cut.unitToNs, unit + 1)
    }
    if (unit >= cut.unitKind.length) {
      cut.unitKind = enlarge(cut.unitKind, unit + 1)
      cut.unitEnd = enlarge(cut.unitEnd, unit + 1)
    }
    cut.unitSpan[unit] = span
    cut.unitFromNs[unit] = fromNs
    cut.unitToNs[unit] = toNs
    cut.unitKind[unit] = kind
    if (kind !== UnitKind.window) cut.unitOf[span] = unit
    return unit
  }

  function addSection(span: number, fromNs: number, toNs: number, fill: number): number {
    const section = cut.sections++
    if (section === cut.span.length) {
      cut.span = enlarge(cut.span, section + 1)
      cut.fromNs = enlarge(cut.fromNs, section + 1)
      cut.toNs = enlarge(cut.toNs, section + 1)
      cut.fill = enlarge(cut.fill, section + 1)
      cut.cover = enlarge(cut.cover, section + 1)
      cut.left = enlarge(cut.left, section + 1)
      cut.right = enlarge(cut.right, section + 1)
      cut.clipped = enlarge(cut.clipped, section + 1)
    }
    cut.span[section] = span
    cut.fromNs[section] = fromNs
    cut.toNs[section] = toNs
    cut.fill[section] = fill
    return section
  }

  /** Most traces have fewer sections than twice their spans: room for those at once, so that a giant never waits for a copy. */
  function reserve(n: number): void {
    cut.unitSpan = enlarge(cut.unitSpan, n)
    cut.unitFromNs = enlarge(cut.unitFromNs, n)
    cut.unitToNs = enlarge(cut.unitToNs, n)
    cut.unitKind = enlarge(cut.unitKind, n)
    cut.unitEnd = enlarge(cut.unitEnd, n)
    cut.span = enlarge(cut.span, 2 * n)
    cut.fromNs = enlarge(cut.fromNs, 2 * n)
    cut.toNs = enlarge(cut.toNs, 2 * n)
    cut.fill = enlarge(cut.fill, 2 * n)
    cut.cover = enlarge(cut.cover, 2 * n)
    cut.left = enlarge(cut.left, 2 * n)
    cut.right = enlarge(cut.right, 2 * n)
    cut.clipped = enlarge(cut.clipped, 2 * n)
  }

  return {
    cut,
    addUnit,
    addSection,
    clear(rows) {
      if (2 * rows > cut.span.length) reserve(rows)
      if (cut.unitOf.length < rows) cut.unitOf = growInts(rows)
      cut.units = cut.sections = cut.pathUnits = 0
    },
    addPathUnit(unit) {
      if (cut.pathUnits === cut.pathUnit.length) cut.pathUnit = enlarge(cut.pathUnit, cut.pathUnits + 1)
      cut.pathUnit[cut.pathUnits++] = unit
    }
  }
}
