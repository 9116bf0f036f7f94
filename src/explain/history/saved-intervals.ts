import { Fault } from '../../runtime/fault.ts'
import { type Strings } from '../../runtime/strings.ts'
import { type Interval } from './interval.ts'

/** Version of how an interval is written; another one is refused. */
const VERSION = 1
/** version, records, pairs of versions, bytes of names; then two times. */
const HEADER_BYTES = 4 * 4 + 2 * 8

/**
 * An interval with its names in full, for a process that numbers them otherwise:
 *
 *     header | names as a JSON list | service, operation and end of each record | pairs of service and version | records
 *
 * Services, operations and versions are places in the list. Numbers have the byte order of the machine, which is little-endian
 * wherever Node runs.
 */
export function saveInterval(interval: Interval, strings: Strings): Uint8Array {
  const names = createNames(strings)
  const columns = [
    Uint32Array.from(interval.service, names.place),
    Uint32Array.from(interval.operation, names.place),
    interval.end,
    Uint32Array.from(interval.versions, names.place)
  ]
  const text = new TextEncoder().encode(JSON.stringify(names.all))
  const header = new Uint8Array(HEADER_BYTES)
  const view = new DataView(header.buffer)
  for (const [i, value] of [VERSION, interval.end.length, interval.versions.length, text.length].entries()) {
    view.setUint32(4 * i, value, true)
  }
  view.setFloat64(16, interval.fromMs, true)
  view.setFloat64(24, interval.toMs, true)
  return joined([header, text, ...columns.map((column) => new Uint8Array(column.buffer)), interval.bytes])
}

/** Throws BAD_FILE for what `saveInterval` did not write. */
export function loadInterval(saved: Uint8Array, strings: Strings): Interval {
  if (saved.length < HEADER_BYTES) throw new Fault('BAD_FILE', 'history: an interval is cut short')
  const view = new DataView(saved.buffer, saved.byteOffset)
  const [version, records, pairs, textBytes] = [0, 4, 8, 12].map((at) => view.getUint32(at, true)) as Four
  if (version !== VERSION) throw new Fault('BAD_FILE', `history: version ${version}; this one reads ${VERSION}`)
  let at = HEADER_BYTES + textBytes
  const rest = saved.length - at - 4 * (3 * records + pairs)
  if (rest < 0) throw new Fault('BAD_FILE', 'history: an interval is cut short')
  const ids = internAll(new TextDecoder().decode(saved.subarray(HEADER_BYTES, at)), strings)
  const column = (length: number): Uint32Array => {
    const copy = copyOf(saved.subarray(at, at + 4 * length))
    at += copy.length
    return new Uint32Array(copy.buffer)
  }
  const named = (length: number): Uint32Array => column(length).map((place) => ids[place] as number)
  const interval = {
    fromMs: view.getFloat64(16, true),
    toMs: view.getFloat64(24, true),
    service: named(records),
    operation: named(records),
    end: column(records),
    versions: named(pairs),
    bytes: copyOf(saved.subarray(at))
  }
  const ordered = interval.end.every((end, i) => end > (i === 0 ? 0 : (interval.end[i - 1] as number)))
  if (!ordered || (interval.end.at(-1) ?? 0) !== rest) throw new Fault('BAD_FILE', 'history: records do not fit')
  return interval
}

/** The saved bytes lie at any address, in a file that is let go; a Buffer's own `slice` is no copy. */
function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.length)
  copy.set(bytes)
  return copy
}

type Four = [number, number, number, number]

function createNames(strings: Strings): { readonly place: (id: number) => number; readonly all: string[] } {
  const places = new Map<number, number>()
  const all: string[] = []
  return {
    place(id) {
      const known = places.get(id)
      if (known !== undefined) return known
      places.set(id, all.length)
      return all.push(strings.text(id)) - 1
    },
    all
  }
}

function internAll(json: string, strings: Strings): readonly number[] {
  const names: unknown = JSON.parse(json)
  if (!Array.isArray(names)) throw new Fault('BAD_FILE', 'history: names are no list')
  return names.map((name) => strings.internText(String(name)))
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
