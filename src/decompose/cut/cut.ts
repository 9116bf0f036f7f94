import { PATTERNS } from '../../model/patterns.ts'
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
  /** PATTERNS a unit: ns of its path that calls made again, or at once, cost. Of requests only; each ns counts once. */
  patternNs: Float64Array
  /** Children that were too many to look for patterns among. */
  unsearched: number
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
  /** A section of the span's own time between two rows. */
  readonly addSelf: (span: number, fromNs: number, toNs: number, left: number, right: number) => void
  /** A section that a peer or child covers. */
  readonly addCovered: (span: number, fromNs: number, toNs: number, fill: number, cover: number) => void
  /** Whether the units of the sections to come see only a part of their span. */
  readonly setClipped: (clipped: number) => void
  readonly addPathUnit: (unit: number) => void
}

export function createCut(): CutWriter {
  const cut: Cut = {
    units: 0,
    unitSpan: growInts(64),
    unitFromNs: growFloats(64),
    unitToNs: growFloats(64),
    unitKind: new Uint8Array(64),
    unitEnd: new Uint32Array(64),
    unitOf: growInts(16),
    patternNs: growFloats(64 * PATTERNS),
    unsearched: 0,
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
  function growUnits(units: number): void {
    cut.unitSpan = enlarge(cut.unitSpan, units)
    cut.unitFromNs = enlarge(cut.unitFromNs, units)
    cut.unitToNs = enlarge(cut.unitToNs, units)
    cut.unitKind = enlarge(cut.unitKind, units)
    cut.unitEnd = enlarge(cut.unitEnd, units)
    cut.patternNs = enlarge(cut.patternNs, units * PATTERNS)
  }

  function growSections(sections: number): void {
    cut.span = enlarge(cut.span, sections)
    cut.fromNs = enlarge(cut.fromNs, sections)
    cut.toNs = enlarge(cut.toNs, sections)
    cut.fill = enlarge(cut.fill, sections)
    cut.cover = enlarge(cut.cover, sections)
    cut.left = enlarge(cut.left, sections)
    cut.right = enlarge(cut.right, sections)
    cut.clipped = enlarge(cut.clipped, sections)
  }

  function addUnit(span: number, fromNs: number, toNs: number, kind: number): number {
    const unit = cut.units++
    if (unit === cut.unitSpan.length) growUnits(unit + 1)
    cut.unitSpan[unit] = span
    cut.unitFromNs[unit] = fromNs
    cut.unitToNs[unit] = toNs
    cut.unitKind[unit] = kind
    if (kind !== UnitKind.window) cut.unitOf[span] = unit
    for (let cell = unit * PATTERNS; cell < (unit + 1) * PATTERNS; cell++) cut.patternNs[cell] = 0
    return unit
  }

  let clippedNow = 0

  function addSelf(span: number, fromNs: number, toNs: number, left: number, right: number): void {
    const section = cut.sections++
    if (section === cut.span.length) growSections(section + 1)
    cut.span[section] = span
    cut.fromNs[section] = fromNs
    cut.toNs[section] = toNs
    cut.fill[section] = Fill.self
    cut.cover[section] = -1
    cut.left[section] = left
    cut.right[section] = right
    cut.clipped[section] = clippedNow
  }

  function addCovered(span: number, fromNs: number, toNs: number, fill: number, cover: number): void {
    const section = cut.sections++
    if (section === cut.span.length) growSections(section + 1)
    cut.span[section] = span
    cut.fromNs[section] = fromNs
    cut.toNs[section] = toNs
    cut.fill[section] = fill
    cut.cover[section] = cover
    cut.clipped[section] = clippedNow
  }

  return {
    cut,
    addUnit,
    addSelf,
    addCovered,
    setClipped(clipped) {
      clippedNow = clipped
    },
    clear(rows) {
      // Most traces have fewer sections than twice their spans: room for those at once, so that a giant never waits for a copy.
      if (2 * rows > cut.span.length) {
        growUnits(rows)
        growSections(2 * rows)
      }
      if (cut.unitOf.length < rows) cut.unitOf = growInts(rows)
      cut.units = cut.sections = cut.pathUnits = cut.unsearched = 0
    },
    addPathUnit(unit) {
      if (cut.pathUnits === cut.pathUnit.length) cut.pathUnit = enlarge(cut.pathUnit, cut.pathUnits + 1)
      cut.pathUnit[cut.pathUnits++] = unit
    }
  }
}
