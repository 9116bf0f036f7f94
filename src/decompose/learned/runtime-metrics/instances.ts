import { enlarge, growFloats, growInts } from '../../scratch.ts'
import { createKeyTable } from '../key-table.ts'
import { Field, fields, FIELDS, NO_FIELD } from './fields.ts'
import { createRings, type Rings } from './rings.ts'
import { Ignored, perSecond } from './series.ts'

/** A figure's other source is listened to when the first one has been silent for this long. */
const SILENT_NS = 120e9
/** Metrics trail the spans that they speak of by up to two export intervals. */
const STALE_NS = 60e9
/** After two senders wrote as one, what comes under that name is nobody's for so long. */
const AMBIGUOUS_NS = 600e9
const NO_RING = -1

/** The figures of every process, by interval. A sender is a process, or minus a service whose processes are unknown. */
export interface Instances {
  readonly rings: Rings
  /** Row of the sender, or -1. */
  readonly find: (sender: number) => number
  /** Takes an interval of a figure from one of its sources; gives why not, or -1. */
  readonly add: (sender: number, field: number, source: number, interval: Interval) => number
  /** Two write as one: what is known of it is void. */
  readonly conflict: (sender: number, atNs: number) => void
  /** Ring of a figure, or -1. */
  readonly ring: (instance: number, field: number) => number
  /** Remembers that spans asked for it. */
  readonly asked: (instance: number) => void
  /** Makes everything count and drops what was unused for longest; tells of new intervals, with and without spans. */
  readonly publish: (fresh: (spans: boolean, intervals: number) => void) => void
  readonly each: (visit: (instance: number, sender: number) => void) => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

export interface Interval {
  fromNs: number
  toNs: number
  amount: number
}

export function createInstances(options: {
  readonly instancesMax: number
  readonly intervalsPerFigure: number
}): Instances {
  const table = createKeyTable(options.instancesMax)
  const rings = createRings({ intervals: options.intervalsPerFigure, staleNs: STALE_NS })
  let ringOf = growInts(64 * FIELDS)
  let sourceOf = growInts(64 * FIELDS)
  let ambiguousUntilNs = growFloats(64)
  let hasSpans = new Uint8Array(64)

  function rowFor(sender: number): number {
    const known = table.rows()
    const row = table.add(sender, 0, 0, 0)
    if (row < known) return row
    ringOf = enlarge(ringOf, (row + 1) * FIELDS)
    sourceOf = enlarge(sourceOf, (row + 1) * FIELDS)
    ambiguousUntilNs = enlarge(ambiguousUntilNs, row + 1)
    hasSpans = enlarge(hasSpans, row + 1)
    ringOf.fill(NO_RING, row * FIELDS, (row + 1) * FIELDS)
    ambiguousUntilNs[row] = -Infinity
    hasSpans[row] = 0
    return row
  }

  function add(sender: number, field: number, source: number, { fromNs, toNs, amount }: Interval): number {
    const spec = fields[field]
    const rate = spec?.gauge === true ? amount : perSecond(amount, fromNs, toNs)
    // GOGC=off comes as -1, or as the largest number.
    if (spec === undefined || !(rate <= spec.max) || (rate < 0 && field !== Field.gogcPercent))
      return Ignored.implausible
    const row = rowFor(sender)
    if (row < 0) return Ignored.full
    table.touch(row)
    if (toNs < (ambiguousUntilNs[row] as number)) return Ignored.identity
    const cell = row * FIELDS + field
    let ring = ringOf[cell] as number
    if (ring === NO_RING) {
      ring = ringOf[cell] = rings.take()
      sourceOf[cell] = source
    } else if (sourceOf[cell] !== source) {
      if (toNs - rings.newestNs(ring) < SILENT_NS) return Ignored.rival
      sourceOf[cell] = source
    }
    return rings.add(ring, fromNs, toNs, amount) ? -1 : Ignored.outOfOrder
  }

  function giveRings(row: number): void {
    for (let cell = row * FIELDS; cell < (row + 1) * FIELDS; cell++) {
      if (ringOf[cell] !== NO_RING) rings.give(ringOf[cell] as number)
      ringOf[cell] = NO_RING
    }
  }

  /** What a kept row moves onto has been dropped; swapped, all that was dropped ends up behind the rows that are left. */
  function trim(): void {
    const rows = table.rows()
    table.trim(swapRows)
    for (let row = table.rows(); row < rows; row++) giveRings(row)
  }

  function swapRows(from: number, to: number): void {
    for (let field = 0; field < FIELDS; field++) {
      const ring = ringOf[to * FIELDS + field] as number
      ringOf[to * FIELDS + field] = ringOf[from * FIELDS + field] as number
      ringOf[from * FIELDS + field] = ring
      sourceOf[to * FIELDS + field] = sourceOf[from * FIELDS + field] as number
    }
    ambiguousUntilNs[to] = ambiguousUntilNs[from] as number
    hasSpans[to] = hasSpans[from] as number
  }

  return {
    rings,
    find: (sender) => table.find(sender, 0, 0, 0),
    add,
    conflict(sender, atNs) {
      const row = rowFor(sender)
      if (row < 0) return
      ambiguousUntilNs[row] = atNs + AMBIGUOUS_NS
      for (let field = 0; field < FIELDS; field++) {
        const ring = ringOf[row * FIELDS + field] as number
        if (ring !== NO_RING) rings.clear(ring)
      }
    },
    ring: (instance, field) => (field === NO_FIELD ? NO_RING : (ringOf[instance * FIELDS + field] as number)),
    asked(instance) {
      hasSpans[instance] = 1
    },
    publish(fresh) {
      for (let row = 0; row < table.rows(); row++) {
        let intervals = 0
        for (let cell = row * FIELDS; cell < (row + 1) * FIELDS; cell++) {
          if (ringOf[cell] !== NO_RING) intervals += rings.publish(ringOf[cell] as number)
        }
        fresh(hasSpans[row] === 1, intervals)
      }
      trim()
    },
    each(visit) {
      for (let row = 0; row < table.rows(); row++) visit(row, table.key(row, 0))
    },
    mark(strings) {
      for (let row = 0; row < table.rows(); row++) strings[Math.abs(table.key(row, 0))] = 1
    },
    bytes: () => table.bytes() + rings.bytes() + ringOf.byteLength + sourceOf.byteLength + 9 * hasSpans.length
  }
}
