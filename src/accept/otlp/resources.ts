import { Language, type Resources } from '../../model/spans.ts'
import { createSharedMemory, type SharedMemory } from '../../runtime/shared-memory.ts'
import { slotsFor } from '../../runtime/slots.ts'
import { OTHER, type Strings } from '../../runtime/strings.ts'
import { type DecoderLimits } from './limits.ts'
import { createProcessAliases } from './process-aliases.ts'

/** Who sent something: interned ids and a Language. */
export interface Sender {
  service: number
  process: number
  host: number
  version: number
  language: number
}

/** A row means the same in every thread. */
export interface ResourceTable extends Resources {
  readonly rowOf: (sender: Readonly<Sender>) => number
  /** Says that `identity` is another one of `process`. */
  readonly noteAlias: (identity: number, process: number) => void
  readonly processAlias: (process: number) => number
  /** Marks the strings that live rows name. */
  readonly mark: (strings: Uint8Array) => void
  /** A byte per row, for all threads to say which are in use. */
  readonly marks: Uint8Array
  /** Clears the marks. From here to the sweep every row that is given out is marked, in whatever thread. */
  readonly beginMarking: () => void
  /** Frees every row that `marked` leaves unmarked, while no thread looks; freed ones are given out again. Sweep rows before strings. */
  readonly sweep: (marked: Uint8Array) => void
  /** Share of the limit in use, 0 to 1. */
  readonly fullness: () => number
  /** Aliases dropped at once because there were too many, since the start. */
  readonly aliasesForgotten: () => number
  /** Times that a sender got OVERFLOW_ROW, since the start. */
  readonly overflowed: () => number
  readonly bytes: () => number
}

/** The row of every sender that did not fit. */
export const OVERFLOW_ROW = 0
const FIRST_SLOTS = 256
const ROW_BYTES = 19

/** Cells that all threads share. */
const Cell = {
  /** Of the slots in use. */
  mask: 0,
  rows: 1,
  liveRows: 2,
  overflowed: 3,
  /** The first freed row; each holds the next where its service was. 0 = none. */
  freed: 4,
  marking: 5
} as const

/**
 * One row per distinct sender, found by open addressing over typed columns. Threads look without a lock and add under one; what
 * makes that safe is said in `runtime/strings.ts`, whose slots are laid out and whose rows are published the same way.
 */
export function createResources(
  strings: Strings,
  limits: Pick<DecoderLimits, 'resourcesMax'>,
  memory: SharedMemory = createSharedMemory()
): ResourceTable {
  const rowsMax = limits.resourcesMax
  const aliases = createProcessAliases(rowsMax, memory)
  const service = memory.take(Uint32Array, rowsMax + 1)
  const process = memory.take(Uint32Array, rowsMax + 1)
  const host = memory.take(Uint32Array, rowsMax + 1)
  const version = memory.take(Uint32Array, rowsMax + 1)
  const language = memory.take(Uint8Array, rowsMax + 1)
  const live = memory.take(Uint8Array, rowsMax + 1)
  const marks = memory.take(Uint8Array, rowsMax + 1)
  const slots = memory.take(Int32Array, 2 * slotsFor(rowsMax, FIRST_SLOTS))
  const cells = memory.take(Int32Array, 6)
  const mutex = memory.mutex()

  const cell = (index: number): number => cells[index] as number

  /** The slot that holds this sender's row, or the free one where it belongs. */
  function slotOf(sender: Readonly<Sender>, mask: number): number {
    let h = Math.imul(sender.service, 0x9e3779b1) ^ Math.imul(sender.process, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 15) ^ sender.host, 0x2c1b3c6d) ^ Math.imul(sender.version + sender.language, 0x297a2d39)
    let slot = (h ^ (h >>> 13)) & mask
    for (;;) {
      const row = slots[mask + 1 + slot] as number
      if (row === OVERFLOW_ROW || isRow(row, sender)) return mask + 1 + slot
      slot = (slot + 1) & mask
    }
  }

  function isRow(row: number, sender: Readonly<Sender>): boolean {
    return (
      service[row] === sender.service &&
      process[row] === sender.process &&
      host[row] === sender.host &&
      version[row] === sender.version &&
      language[row] === sender.language
    )
  }

  function rehash(size: number): void {
    slots.fill(0, size, 2 * size)
    const sender: Sender = { service: 0, process: 0, host: 0, version: 0, language: Language.unknown }
    for (let row = 1; row < cell(Cell.rows); row++) {
      if (live[row] === 0) continue
      sender.service = service[row] as number
      sender.process = process[row] as number
      sender.host = host[row] as number
      sender.version = version[row] as number
      sender.language = language[row] as number
      slots[slotOf(sender, size - 1)] = row
    }
    Atomics.store(cells, Cell.mask, size - 1)
  }

  function takeRow(): number {
    const freed = cell(Cell.freed)
    if (freed === 0) return (cells[Cell.rows] = cell(Cell.rows) + 1) - 1
    cells[Cell.freed] = service[freed] as number
    return freed
  }

  /** Under the lock. */
  function insert(sender: Readonly<Sender>, slot: number): number {
    if (cell(Cell.liveRows) > rowsMax) {
      cells[Cell.overflowed] = cell(Cell.overflowed) + 1
      return OVERFLOW_ROW
    }
    const row = takeRow()
    service[row] = sender.service
    process[row] = sender.process
    host[row] = sender.host
    version[row] = sender.version
    language[row] = sender.language
    live[row] = marks[row] = 1
    const liveRows = (cells[Cell.liveRows] = cell(Cell.liveRows) + 1)
    const size = cell(Cell.mask) + 1
    if (liveRows * 2 > size) rehash(size * 2)
    else Atomics.store(slots, slot, row)
    return row
  }

  function add(sender: Readonly<Sender>): number {
    mutex.lock()
    try {
      const slot = slotOf(sender, cell(Cell.mask))
      const row = slots[slot] as number
      return row === OVERFLOW_ROW ? insert(sender, slot) : row
    } finally {
      mutex.unlock()
    }
  }

  if (cell(Cell.rows) === 0) {
    cells[Cell.rows] = cells[Cell.liveRows] = 1
    cells[Cell.mask] = FIRST_SLOTS - 1
    service[OVERFLOW_ROW] = strings.internText(OTHER)
    live[OVERFLOW_ROW] = 1
  }
  return {
    get rows() {
      return cell(Cell.rows)
    },
    service,
    process,
    host,
    version,
    language,
    rowOf(sender) {
      const row = slots[slotOf(sender, cell(Cell.mask))] as number
      // A slot that was free may have become another's meanwhile.
      if (row === OVERFLOW_ROW || !isRow(row, sender)) return add(sender)
      if (cells[Cell.marking] === 1) marks[row] = 1
      return row
    },
    noteAlias: aliases.note,
    processAlias: aliases.processOf,
    aliasesForgotten: aliases.forgotten,
    mark(strings) {
      for (let row = 0; row < cell(Cell.rows); row++) {
        if (live[row] === 0) continue
        for (const column of [service, process, host, version]) strings[column[row] as number] = 1
      }
    },
    marks,
    beginMarking() {
      marks.fill(0, 0, cell(Cell.rows))
      Atomics.store(cells, Cell.marking, 1)
    },
    sweep(marked) {
      // Their strings are not marked; whoever still sends says it again.
      aliases.clear()
      cells[Cell.freed] = 0
      for (let row = cell(Cell.rows) - 1; row > OVERFLOW_ROW; row--) {
        if (live[row] === 1 && marked[row] === 1) continue
        if (live[row] === 1) cells[Cell.liveRows] = cell(Cell.liveRows) - 1
        live[row] = 0
        service[row] = cell(Cell.freed)
        cells[Cell.freed] = row
      }
      rehash(cell(Cell.mask) + 1)
      cells[Cell.marking] = 0
    },
    fullness: () => (cell(Cell.liveRows) - 1) / rowsMax,
    overflowed: () => cell(Cell.overflowed),
    bytes: () => ROW_BYTES * cell(Cell.rows) + 8 * (cell(Cell.mask) + 1) + aliases.bytes()
  }
}
