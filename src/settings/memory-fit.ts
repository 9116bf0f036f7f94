import { Fault } from '../runtime/fault.ts'
import { fixedBytes, inFlight, type Size, sizesOf, WORKER_BYTES } from './memory-sizes.ts'
import { loadSettings, MEMORY_MIN_BYTES, type Settings } from './settings.ts'

/** The share of memory_limit at which senders are told to come back later. */
const SOFT_SHARE = 0.8
/** What Collectors send in one request by default is less than this. */
const REQUEST_BYTES_MIN = 4 * 1024 ** 2
/** Of a table's share at the least memory_limit there is: with less it is of no use. */
const LEAST_SHARE = 1 / 2

/**
 * Makes sizes that nobody chose (they are the defaults) smaller, so that all tables, full, are within what the limit leaves for
 * them. Chosen ones stay. Throws BAD_SETTINGS when too little is left beside them for the others.
 */
export function fitToMemory(settings: Settings, limitBytes: number): Settings {
  const defaults = loadSettings('', 'defaults', {})
  const isChosen = (size: Size): boolean => size.of(settings) !== (size.byDefault ?? size.of(defaults))
  const { requestBytesMax } = settings.accept
  const threaded = withWorkers(settings, defaults, limitBytes)
  const fitted = fit(threaded, defaults, { limitBytes, isChosen })
  if (requestBytesMax === defaults.accept.requestBytesMax) return withRequests(fitted, defaults)
  if (requestBytesMax <= fitted.accept.inFlightBytesMax) return withRequests(fitted, defaults)
  // Whoever wants requests of this size wants at least one under way.
  const larger = inFlight.with(threaded, requestBytesMax)
  return withRequests(
    fit(larger, defaults, { limitBytes, isChosen: (size) => size === inFlight || isChosen(size) }),
    defaults
  )
}

/** As many as there is room for, where the number is the machine's. */
function withWorkers(settings: Settings, defaults: Settings, limitBytes: number): Settings {
  if (settings.workers !== defaults.workers) return settings
  const roomBytes = limitBytes * SOFT_SHARE - fixedBytes({ ...settings, workers: 1 }) - leastRoomBytes(defaults)
  return { ...settings, workers: Math.max(1, Math.min(settings.workers, Math.floor(roomBytes / WORKER_BYTES))) }
}

interface Limit {
  readonly limitBytes: number
  readonly isChosen: (size: Size) => boolean
}

function fit(settings: Settings, defaults: Settings, { limitBytes, isChosen }: Limit): Settings {
  const sizes = sizesOf(settings)
  const chosen = sizes.filter(isChosen)
  const others = sizes.filter((size) => !isChosen(size))
  const roomBytes = limitBytes * SOFT_SHARE - fixedBytes(settings)
  const leftBytes = roomBytes - sum(chosen, (size) => size.of(settings) * size.bytesEach)
  const shares = sum(others, ({ share }) => share)
  const sharesByDefault = sum(sizesOf({ ...defaults, workers: 1 }), ({ share }) => share)
  const leastBytes = (LEAST_SHARE * shares * leastRoomBytes(defaults)) / sharesByDefault
  if (leftBytes < leastBytes) throw tooLarge(settings, { chosen, limitBytes, roomBytes, leastBytes })
  return shared(settings, others, leftBytes)
}

/** Gives each its share; who needs less than that leaves the rest to the others. */
function shared(settings: Settings, sizes: readonly Size[], bytes: number): Settings {
  const perShare = bytes / sum(sizes, ({ share }) => share)
  const bytesOf = ({ of, bytesEach }: Size): number => of(settings) * bytesEach
  const larger = sizes.filter((size) => bytesOf(size) > perShare * size.share)
  if (larger.length < sizes.length) {
    const rest = sizes.filter((size) => !larger.includes(size))
    return shared(settings, larger, bytes - sum(rest, bytesOf))
  }
  return larger.reduce(
    (all, size) => size.with(all, Math.max(1, Math.floor((perShare * size.share) / size.bytesEach))),
    settings
  )
}

function leastRoomBytes(defaults: Settings): number {
  return MEMORY_MIN_BYTES * SOFT_SHARE - fixedBytes({ ...defaults, workers: 1 })
}

/** The largest request must fit among those under way, and a trace among the spans. A default gives way. */
function withRequests(settings: Settings, defaults: Settings): Settings {
  const { accept, assemble } = settings
  const mostBytes = Math.max(REQUEST_BYTES_MIN, Math.floor(accept.inFlightBytesMax / 2))
  const requestBytesMax = atMost(accept.requestBytesMax, defaults.accept.requestBytesMax, mostBytes)
  const { spansPerTraceMax } = defaults.assemble
  return {
    ...settings,
    accept: { ...accept, requestBytesMax, inFlightBytesMax: Math.max(accept.inFlightBytesMax, requestBytesMax) },
    assemble: { ...assemble, spansPerTraceMax: atMost(assemble.spansPerTraceMax, spansPerTraceMax, assemble.spansMax) }
  }
}

const atMost = (value: number, byDefault: number, most: number): number =>
  value === byDefault ? Math.min(value, most) : value

interface Excess {
  readonly chosen: readonly Size[]
  readonly limitBytes: number
  readonly roomBytes: number
  readonly leastBytes: number
}

function tooLarge(settings: Settings, { chosen, limitBytes, roomBytes, leastBytes }: Excess): Fault {
  const bytesOf = ({ of, bytesEach }: Size): number => of(settings) * bytesEach
  const largest = chosen
    .toSorted((a, b) => bytesOf(b) - bytesOf(a))
    .map((size) => `${size.key} (${mib(bytesOf(size))} when full)`)
  const threads = settings.workers > 1 ? ` and ${settings.workers} workers` : ''
  const room = `memory_limit ${mib(limitBytes)} leaves ${mib(Math.max(0, roomBytes))} for tables beside the process${threads}`
  const needed = `${mib(leastBytes)} of it for those that have no size in the settings`
  const advice = largest.length === 0 ? 'raise it' : `raise it, or lower ${largest.join(', ')}`
  return new Fault('BAD_SETTINGS', `${room}, ${needed}: ${advice}`)
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}

const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)}MiB`
