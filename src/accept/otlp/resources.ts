import { Language, type Resources } from '../../model/spans.ts'
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

export interface ResourceTable extends Resources {
  readonly rowOf: (sender: Readonly<Sender>) => number
  /** Says that `identity` is another one of `process`. */
  readonly noteAlias: (identity: number, process: number) => void
  readonly processAlias: (process: number) => number
  /** Marks the strings that live rows name. */
  readonly mark: (strings: Uint8Array) => void
  /** Frees every row that `marked` leaves unmarked; freed rows are given out again. Sweep rows before strings. */
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
const FIRST_ROWS = 64

/** One row per distinct sender, found by open addressing over typed columns. */
export function createResources(strings: Strings, limits: Pick<DecoderLimits, 'resourcesMax'>): ResourceTable {
  const rowsMax = limits.resourcesMax
  const aliases = createProcessAliases(rowsMax)
  let service = new Uint32Array(FIRST_ROWS)
  let process = new Uint32Array(FIRST_ROWS)
  let host = new Uint32Array(FIRST_ROWS)
  let version = new Uint32Array(FIRST_ROWS)
  let language = new Uint8Array(FIRST_ROWS)
  let live = new Uint8Array(FIRST_ROWS)
  let slots = new Uint32Array(FIRST_ROWS * 4)
  let free: number[] = []
  let rows = 1
  let liveRows = 1
  let overflowed = 0
  service[OVERFLOW_ROW] = strings.internText(OTHER)
  live[OVERFLOW_ROW] = 1

  /** The slot that holds this sender's row, or the free one where it belongs. */
  function slotOf(sender: Readonly<Sender>): number {
    const mask = slots.length - 1
    let h = Math.imul(sender.service, 0x9e3779b1) ^ Math.imul(sender.process, 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 15) ^ sender.host, 0x2c1b3c6d) ^ Math.imul(sender.version + sender.language, 0x297a2d39)
    let slot = (h ^ (h >>> 13)) & mask
    for (;;) {
      const row = slots[slot] as number
      if (row === OVERFLOW_ROW || isRow(row, sender)) return slot
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
    slots = new Uint32Array(size)
    const sender: Sender = { service: 0, process: 0, host: 0, version: 0, language: Language.unknown }
    for (let row = 1; row < rows; row++) {
      if (live[row] === 0) continue
      sender.service = service[row] as number
      sender.process = process[row] as number
      sender.host = host[row] as number
      sender.version = version[row] as number
      sender.language = language[row] as number
      slots[slotOf(sender)] = row
    }
  }

  function growRows(): void {
    const size = Math.min(service.length * 2, rowsMax + 1)
    service = larger(service, new Uint32Array(size))
    process = larger(process, new Uint32Array(size))
    host = larger(host, new Uint32Array(size))
    version = larger(version, new Uint32Array(size))
    language = larger(language, new Uint8Array(size))
    live = larger(live, new Uint8Array(size))
  }

  function insert(sender: Readonly<Sender>, slot: number): number {
    if (liveRows > rowsMax) {
      overflowed += 1
      return OVERFLOW_ROW
    }
    const row = free.pop() ?? rows++
    if (row >= service.length) growRows()
    service[row] = sender.service
    process[row] = sender.process
    host[row] = sender.host
    version[row] = sender.version
    language[row] = sender.language
    live[row] = 1
    liveRows += 1
    if (liveRows * 2 > slots.length) rehash(slots.length * 2)
    else slots[slot] = row
    return row
  }

  return {
    get rows() {
      return rows
    },
    get service() {
      return service
    },
    get process() {
      return process
    },
    get host() {
      return host
    },
    get version() {
      return version
    },
    get language() {
      return language
    },
    rowOf(sender) {
      const slot = slotOf(sender)
      const row = slots[slot] as number
      return row === OVERFLOW_ROW ? insert(sender, slot) : row
    },
    noteAlias: aliases.note,
    processAlias: aliases.processOf,
    aliasesForgotten: aliases.forgotten,
    mark(marks) {
      for (let row = 0; row < rows; row++) {
        if (live[row] === 0) continue
        for (const column of [service, process, host, version]) marks[column[row] as number] = 1
      }
    },
    sweep(marked) {
      // Their strings are not marked; whoever still sends says it again.
      aliases.clear()
      free = []
      for (let row = rows - 1; row > OVERFLOW_ROW; row--) {
        if (live[row] === 1 && marked[row] !== 1) {
          live[row] = 0
          liveRows -= 1
        }
        if (live[row] === 0) free.push(row)
      }
      rehash(slots.length)
    },
    fullness: () => (liveRows - 1) / rowsMax,
    overflowed: () => overflowed,
    bytes: () => service.length * 18 + slots.byteLength + aliases.bytes()
  }

  function larger<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
    to.set(from)
    return to
  }
}
