import type { SharedMemory } from '../../../runtime/shared-memory.ts'
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
  /**
   * Makes everything count and drops what was unused for longest; tells of new intervals, with and without spans. `aliasOf` says
   * for whom else a sender stands.
   */
  readonly publish: (fresh: (spans: boolean, intervals: number) => void, aliasOf: (sender: number) => number) => void
  /** Grows at each publication. */
  readonly publications: () => number
  /** For whom the instance stands since the last publication. */
  readonly alias: (instance: number) => number
  readonly each: (visit: (instance: number, sender: number) => void) => void
  readonly mark: (strings: Uint8Array) => void
  readonly bytes: () => number
}

export interface Interval {
  fromNs: number
  toNs: number
  amount: number
}

export interface InstancesOptions {
  readonly instancesMax: number
  readonly intervalsPerFigure: number
  readonly memory: SharedMemory
}

const ROW_BYTES = 8 * FIELDS + 13

export function createInstances({ instancesMax, intervalsPerFigure, memory }: InstancesOptions): Instances {
  const table = createKeyTable({ rowsMax: instancesMax, memory, clear })
  const rings = createRings({
    ringsMax: instancesMax * FIELDS,
    intervals: intervalsPerFigure,
    staleNs: STALE_NS,
    memory
  })
  const ringOf = memory.take(Int32Array, instancesMax * FIELDS)
  const sourceOf = memory.take(Int32Array, instancesMax * FIELDS)
  const ambiguousUntilNs = memory.take(Float64Array, instancesMax)
  const hasSpans = memory.take(Uint8Array, instancesMax)
  const aliases = memory.take(Int32Array, instancesMax)
  const publications = memory.take(Uint32Array, 1)

  function clear(row: number): void {
    ringOf.fill(NO_RING, row * FIELDS, (row + 1) * FIELDS)
    ambiguousUntilNs[row] = -Infinity
    hasSpans[row] = 0
    aliases[row] = 0
  }

  function add(sender: number, field: number, source: number, { fromNs, toNs, amount }: Interval): number {
    const spec = fields[field]
    const rate = spec?.gauge === true ? amount : perSecond(amount, fromNs, toNs)
    // GOGC=off comes as -1, or as the largest number.
    if (spec === undefined || !(rate <= spec.max) || (rate < 0 && field !== Field.gogcPercent))
      return Ignored.implausible
    const row = table.add(sender, 0, 0, 0)
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
      const row = table.add(sender, 0, 0, 0)
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
    publish(fresh, aliasOf) {
      for (let row = 0; row < table.rows(); row++) {
        let intervals = 0
        for (let cell = row * FIELDS; cell < (row + 1) * FIELDS; cell++) {
          if (ringOf[cell] !== NO_RING) intervals += rings.publish(ringOf[cell] as number)
        }
        fresh(hasSpans[row] === 1, intervals)
      }
      trim()
      for (let row = 0; row < table.rows(); row++) aliases[row] = aliasOf(table.key(row, 0))
      publications[0] = (publications[0] as number) + 1
    },
    publications: () => publications[0] as number,
    alias: (instance) => aliases[instance] as number,
    each(visit) {
      for (let row = 0; row < table.rows(); row++) visit(row, table.key(row, 0))
    },
    mark(strings) {
      for (let row = 0; row < table.rows(); row++)
        strings[Math.abs(table.key(row, 0))] = strings[Math.abs(aliases[row] as number)] = 1
    },
    bytes: () => table.bytes() + rings.bytes() + ROW_BYTES * table.rows()
  }
}
