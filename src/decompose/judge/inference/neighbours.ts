import { enlarge, growFloats } from '../../scratch.ts'
import { createIntervals, type IntervalsOptions } from './intervals.ts'
import { PieceKind } from './pieces.ts'
import { thresholds } from './thresholds.ts'
import { unionNs } from './unions.ts'

/** What a piece in the ring is, beside its kind (the two lowest bits). */
export const PieceFlag = {
  kindMask: 3,
  stretched: 4,
  /** Before the first call of a request that may have waited for a server: a queue can have stretched it. */
  mayQueue: 8,
  /** A stretched gap before a span of this process, seen by its caller: it was knocked at and did not open. */
  knock: 16,
  /** Own time up to the beginning of a call. */
  beforeCall: 32
} as const

const WAITER = PieceFlag.stretched | PieceFlag.beforeCall

/** What begins within this share of an interval's ends may be of before a stall, or after. */
const EDGE_SHARE = 0.1

/** Beginnings are told apart to a thirty-second of an interval. */
const SLOTS = 32

/** What else went on in a process during an interval. */
export interface Surroundings {
  /** Other requests' stretched pieces that overlap it well, and the share of it that they cover. */
  witnesses: number
  coveredShare: number
  /** One of the witnesses at least is one that only this process can have stretched. */
  strong: boolean
  /** Share of it crossed by other requests' pieces of normal length. */
  crossedShare: number
  /** Other requests' pieces that began well within it, waiting ones too: what starts a span runs. */
  started: number
  /** The longest time in it in which none began, as a share of it. */
  quietShare: number
  /** Time in it in which at least two requests were open and each of them overdue; with a strong piece among them, and without. */
  silentNs: number
  weakSilentNs: number
}

/** Who waited beside a piece that ended with the beginning of a call. */
export interface Release {
  /** Other requests' stretched pieces before a call that ended at the same moment, and those that were left waiting. */
  together: number
  stayed: number
  /** Of those that ended: how many began well after the first and well before the end. */
  during: number
  /** From the first beginning to the piece's end, and from the first end to the last. */
  waitedNs: number
  endedNs: number
}

/** The latest pieces of all processes, each on its own process's clock. */
export interface Neighbours {
  /** Start, end, median and 95th percentile of the piece to add next, in ns. */
  readonly next: Float64Array
  /** Adds `next`; `request` is the same for all pieces of a request. */
  readonly add: (process: number, request: number, flags: number) => void
  /** Looks around [fromNs, toNs) of a request's piece; `knocks` count as witnesses or not. Overwritten by the next call. */
  readonly around: (process: number, request: number, fromNs: number, toNs: number, knocks: boolean) => Surroundings
  /** Who waited beside [fromNs, toNs) of a request's piece that ends with a call. Overwritten by the next call. */
  readonly released: (process: number, request: number, fromNs: number, toNs: number) => Release
  /** Pieces that a process began between two moments; Infinity when there are too many to count. */
  readonly begun: (process: number, fromNs: number, toNs: number) => number
  /** Processes named by what is held. */
  readonly mark: (strings: Uint8Array) => void
  /** Pieces looked at so far: what looking around costs. */
  readonly visited: () => number
  readonly clear: () => void
  readonly bytes: () => number
}

/** Only this process can stretch it: not a slow far side, not a queue that was missed. */
const isStrong = (flags: number): boolean => {
  if ((flags & PieceFlag.knock) !== 0) return true
  const kind = flags & PieceFlag.kindMask
  return (kind === PieceKind.own || kind === PieceKind.afterPeer) && (flags & PieceFlag.mayQueue) === 0
}

/** Intervals collected for one question. */
interface Bag {
  n: number
  from: Float64Array
  to: Float64Array
}
const createBag = (): Bag => ({ n: 0, from: growFloats(256), to: growFloats(256) })
function put(bag: Bag, fromNs: number, toNs: number): void {
  const i = bag.n++
  if (i === bag.from.length) {
    bag.from = enlarge(bag.from, i + 1)
    bag.to = enlarge(bag.to, i + 1)
  }
  bag.from[i] = fromNs
  bag.to[i] = toNs
}

const ROW_BYTES = 13

export function createNeighbours(options: IntervalsOptions): Neighbours {
  const { memory } = options
  const intervals = createIntervals(options)
  const next = new Float64Array(4)
  const requestOf = memory.take(Uint32Array, intervals.rows)
  // Median and 95th percentile, side by side.
  const usualNs = memory.take(Float32Array, 2 * intervals.rows)
  const flagsOf = memory.take(Uint8Array, intervals.rows)
  const visits = memory.take(Float64Array, 1)
  const found: Surroundings = {
    witnesses: 0,
    coveredShare: 0,
    strong: false,
    crossedShare: 0,
    started: 0,
    quietShare: 0,
    silentNs: 0,
    weakSilentNs: 0
  }
  const waiters = createBag()
  const release: Release = { together: 0, stayed: 0, during: 0, waitedNs: 0, endedNs: 0 }
  const witnesses = createBag()
  const crossing = createBag()
  // Of all open pieces: when each was there, when it was within its usual time, and when a strong one was there.
  const open = createBag()
  const usual = createBag()
  const strongOpen = createBag()
  // Slots of the interval in which something began, a bit each.
  let begunSlots = 0
  let events = growFloats(512)

  /** False when so much went on that not all of it was looked at. */
  function collect(process: number, request: number, fromNs: number, toNs: number, knocks: boolean): boolean {
    witnesses.n = crossing.n = open.n = usual.n = strongOpen.n = 0
    begunSlots = 0
    found.witnesses = found.started = 0
    const edgeNs = EDGE_SHARE * (toNs - fromNs)
    found.strong = false
    return intervals.each(process, fromNs, toNs, (row) => {
      visits[0] = (visits[0] as number) + 1
      const flags = flagsOf[row] as number
      const knock = (flags & PieceFlag.knock) !== 0
      if (knock ? !knocks : (flags & PieceFlag.kindMask) === PieceKind.beforePeer) return
      const start = intervals.fromNs(row)
      const end = intervals.toNs(row)
      const stretched = (flags & PieceFlag.stretched) !== 0
      const other = requestOf[row] !== request
      if (other && !knock && start > fromNs && start < toNs) {
        begunSlots |= 1 << Math.floor((SLOTS * (start - fromNs)) / (toNs - fromNs))
      }
      if (other && !knock && start > fromNs + edgeNs && start < toNs - edgeNs) found.started += 1
      // A lead that a queue explains, or may, is no witness of a stall.
      if (stretched && (flags & PieceFlag.mayQueue) !== 0) return
      put(open, start, end)
      put(usual, start, Math.min(end, start + (usualNs[2 * row + 1] as number)))
      if (isStrong(flags)) put(strongOpen, start, end)
      if (other) {
        if (stretched) addWitness(start + (usualNs[2 * row] as number), end, fromNs, toNs, isStrong(flags))
        else if (start >= fromNs && end <= toNs) put(crossing, start, end)
      }
    })
  }

  function addWitness(start: number, end: number, fromNs: number, toNs: number, strong: boolean): void {
    const overlapNs = Math.min(end, toNs) - Math.max(start, fromNs)
    if (overlapNs <= 0) return
    put(witnesses, Math.max(start, fromNs), Math.min(end, toNs))
    if (overlapNs < thresholds.witnessOverlap * Math.min(toNs - fromNs, end - start)) return
    found.witnesses += 1
    found.strong ||= strong
  }

  function longestQuiet(): number {
    let longest = 0
    let quiet = 0
    for (let slot = 0; slot < SLOTS; slot++) {
      quiet = (begunSlots >>> slot) & 1 ? 0 : quiet + 1
      longest = Math.max(longest, quiet)
    }
    return longest / SLOTS
  }

  /** Between two moments at which something began or ended, a process is silent when all that is open is overdue. */
  function measureSilence(fromNs: number, toNs: number): void {
    found.silentNs = found.weakSilentNs = 0
    if (open.n < 2) return
    const n = 2 * open.n
    if (events.length < n) events = growFloats(n)
    for (const bag of [open, usual, strongOpen]) {
      bag.from.subarray(0, bag.n).sort()
      bag.to.subarray(0, bag.n).sort()
    }
    events.set(open.from.subarray(0, open.n))
    events.set(open.to.subarray(0, open.n), open.n)
    events.subarray(0, n).sort()
    const [openAt, usualAt, strongAt] = [countAt(open), countAt(usual), countAt(strongOpen)]
    let lastNs = -Infinity
    for (let i = 0; i < n; i++) {
      const atNs = events[i] as number
      if (atNs > lastNs && atNs > fromNs) {
        const many = openAt(atNs) >= 2 && usualAt(atNs) === 0
        const strong = strongAt(atNs) > 0
        const ns = Math.min(atNs, toNs) - Math.max(lastNs, fromNs)
        if (many && ns > 0) {
          if (strong) found.silentNs += ns
          else found.weakSilentNs += ns
        }
      }
      lastNs = atNs
      if (atNs >= toNs) return
    }
  }

  return {
    next,
    add(process, request, flags) {
      intervals.next[0] = next[0] as number
      intervals.next[1] = next[1] as number
      const row = intervals.add(process)
      requestOf[row] = request
      usualNs[2 * row] = next[2] as number
      usualNs[2 * row + 1] = next[3] as number
      flagsOf[row] = flags
    },
    around(process, request, fromNs, toNs, knocks) {
      // A process that does that much in it was not stalled all along.
      const all = collect(process, request, fromNs, toNs, knocks)
      const lengthNs = Math.max(1, toNs - fromNs)
      found.crossedShare = all ? unionNs(crossing.from, crossing.to, crossing.n) / lengthNs : 1
      found.coveredShare = unionNs(witnesses.from, witnesses.to, witnesses.n) / lengthNs
      found.quietShare = all ? longestQuiet() : 0
      if (all) measureSilence(fromNs, toNs)
      else found.silentNs = found.weakSilentNs = 0
      return found
    },
    released(process, request, fromNs, toNs) {
      waiters.n = release.stayed = release.during = 0
      let firstBegun = fromNs
      let firstEnd = toNs
      let lastEnd = toNs
      const all = intervals.each(process, fromNs, toNs, (row) => {
        visits[0] = (visits[0] as number) + 1
        const flags = flagsOf[row] as number
        if (requestOf[row] === request || (flags & WAITER) !== WAITER) return
        const start = intervals.fromNs(row) + (usualNs[2 * row] as number)
        const end = intervals.toNs(row)
        const slackNs = thresholds.sameMoment * Math.max(end - start, toNs - fromNs)
        if (start > toNs - slackNs || end < toNs - slackNs) return
        if (end > toNs + slackNs) release.stayed += 1
        else {
          put(waiters, start, end)
          firstBegun = Math.min(firstBegun, start)
          firstEnd = Math.min(firstEnd, end)
          lastEnd = Math.max(lastEnd, end)
        }
      })
      release.together = all ? waiters.n : 0
      release.waitedNs = toNs - firstBegun
      release.endedNs = lastEnd - firstEnd
      const edgeNs = EDGE_SHARE * release.waitedNs
      for (let i = 0; i < waiters.n; i++) {
        const start = waiters.from[i] as number
        if (start > firstBegun + edgeNs && start < toNs - edgeNs) release.during += 1
      }
      return release
    },
    begun(process, fromNs, toNs) {
      let n = 0
      const all = intervals.each(process, fromNs, toNs, (row) => {
        visits[0] = (visits[0] as number) + 1
        const knock = ((flagsOf[row] as number) & PieceFlag.knock) !== 0
        if (!knock && intervals.fromNs(row) >= fromNs && intervals.fromNs(row) < toNs) n += 1
      })
      return all ? n : Infinity
    },
    mark(strings) {
      const rows = Math.min(intervals.rows, intervals.added())
      for (let row = 0; row < rows; row++) strings[intervals.key(row)] = 1
    },
    visited: () => visits[0] as number,
    clear: intervals.clear,
    bytes: () => intervals.bytes() + ROW_BYTES * Math.min(intervals.rows, intervals.added())
  }
}

/** How many of a bag's intervals contain a moment (start < t <= end); asked for rising moments, on sorted columns. */
function countAt(bag: Bag): (ns: number) => number {
  let started = 0
  let ended = 0
  return (ns) => {
    while (started < bag.n && (bag.from[started] as number) < ns) started += 1
    while (ended < bag.n && (bag.to[ended] as number) < ns) ended += 1
    return started - ended
  }
}
