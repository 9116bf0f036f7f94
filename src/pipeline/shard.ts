import { type Assembler, createAssembler, type Turn } from '../assemble/index.ts'
import { createGiants, type Decomposer, GIANT_SPANS } from '../decompose/index.ts'
import { type JudgedRequests } from '../explain/index.ts'
import { type Forwarder } from '../forward/index.ts'
import { type Decomposition, type RequestColumns } from '../model/decomposition.ts'
import { type CountedRequests } from '../model/requests.ts'
import { type Resources, type TraceColumns } from '../model/spans.ts'
import { createOldest } from '../runtime/oldest.ts'
import { type Marks } from '../runtime/stage.ts'
import { type Settings } from '../settings/settings.ts'
import { type Guard } from './guard.ts'

/** Time that giants may take of a tick. */
const GIANTS_MS = 20
/** Traces of the most spans that may wait for their turn: settings/memory-sizes.ts counts on it. */
const GIANTS_WAITING = 2

/**
 * Where a trace stands among all that a round brings: traces that closed, then giants, then those that were held, in the order in
 * which they closed. One thread finds them in this order; of several it is made again.
 */
export interface Place extends Turn {
  readonly part: number
  /** In which it closed. */
  readonly round: number
}
export const Part = { closed: 0, giant: 1, held: 2 } as const

/**
 * Who counts what a shard finds. What it is given holds until it returns, and of a giant until its generator ends. It says what it
 * found of the requests, as far as it can tell at once; undefined when it failed.
 */
export interface ShardNext {
  readonly found: (result: Decomposition, judged: JudgedRequests, place: Place) => CountedRequests | undefined
  readonly foundGiant: (
    result: Decomposition,
    judged: JudgedRequests,
    place: Place
  ) => Generator<undefined, CountedRequests>
  /** Spans that came after their trace was counted. */
  readonly late: (trace: TraceColumns, place: Place) => void
  /** Of these spans nothing will be counted: a stage failed on them, or they came late and add nothing that counts. */
  readonly uncounted: (trace: Counted, place: Place) => void
}

export interface ShardParts {
  readonly resources: Resources
  readonly seed: number
  readonly decompose: Decomposer
  /** The bands of requests as they were published last. */
  readonly judge: (requests: RequestColumns) => JudgedRequests
  readonly guard: Guard
  readonly startMs: number
  /** What turns are measured by; monotonic, ms with fractions. */
  readonly turnMs: () => number
  /** Time of a turn for traces that are due, and again for those that were held, once some have been left over for so many ms. */
  readonly closeMs: (leftOverMs: number) => number
  /** Passes spans on; without it they end here. */
  readonly forward: Forwarder | undefined
}

/** What the segment log needs to know of a counted trace. */
export type Counted = Pick<TraceColumns, 'traceId' | 'custody'>

/** From spans to what is known of requests: the part of the pipeline of which there may be several, each with traces of its own. */
export interface Shard {
  readonly take: Assembler['consume']
  /** First half of a round: decomposes the traces whose time is up. Gives their number. */
  readonly close: (nowMs: number) => number
  /** Between two rounds: a slice of both halves, where there is no other shard. */
  readonly closeDue: (nowMs: number) => number
  /** Whether there is more to close or to judge. */
  readonly due: (nowMs: number) => boolean
  /** Second half, once every shard has closed: judges what waited for its neighbours; at the end, at Infinity, all of it. */
  readonly judge: (nowMs: number) => void
  /** Instead of `close`, at the end. */
  readonly closeAll: (nowMs: number) => number
  /** Closes open traces early until about so many bytes are free; gives how many it cannot free. */
  readonly relieve: (bytes: number, nowMs: number) => number
  /** Bytes that open traces hold. */
  readonly openBytes: () => number
  /** Spans of which nothing was found yet. */
  readonly openSpans: () => number
  /** Sequence of the first request of which anything was not found yet; Infinity when all is. */
  readonly oldestUncounted: () => number
  readonly replay: ShardReplay
  readonly mark: (marks: Marks) => void
  readonly memory: () => Readonly<Record<string, number>>
  readonly counters: Assembler['counters']
}

/** For reading the log again. */
export interface ShardReplay extends Omit<Assembler['replay'], 'end'> {
  /** First half of a round by the log's time: all that was due by then. */
  readonly close: (atMs: number) => number
  /** A slice of what is left to find; true when that was all, and the present begins. */
  readonly end: (nowMs: number) => boolean
}

export function createShard(settings: Settings, parts: ShardParts, next: ShardNext): Shard {
  const { decompose, guard, forward } = parts
  const giants = createGiants(decompose.decomposeSliced, GIANTS_WAITING * settings.assemble.spansPerTraceMax)
  const assemble = createAssembler(settings.assemble, parts, {
    closed: onClosed,
    late(trace, turn) {
      forward?.uncounted(trace, false)
      next.late(trace, placeOf(turn, Part.closed))
    },
    settled(trace, turn) {
      next.uncounted(trace, placeOf(turn, Part.closed))
    },
    ...(forward !== undefined && { unplaced: forward.unplaced })
  })
  /** Of the held traces, as they stand in line. */
  const heldLine: { readonly place: Place; readonly spans: number }[] = []
  let heldSpans = 0
  /** Closed traces of the log that wait to be counted, in the orders in which they are. */
  const heldWaiting: Counted[] = []
  const giantsWaiting: Counted[] = []
  const waiting = createOldest()
  let lastMs = parts.startMs
  let round = 0
  let closed = 0
  /** When none was left over that was due, or held. */
  let closedMs = parts.turnMs()
  let judgedMs = closedMs
  /** The giant that is being counted; the next one is decomposed after it. */
  let counting: Generator<undefined, void> | undefined

  const placeOf = ({ rank, order }: Turn, part: number): Place => ({ part, round, rank, order })
  const giantPlace = (): Place => placeOf({ rank: 0, order: 0 }, Part.giant)

  function onClosed(trace: TraceColumns, contextRows: number, turn: Turn): void {
    closed += 1
    if (trace.n > GIANT_SPANS && giants.add(trace, contextRows)) {
      wait(trace, giantsWaiting)
      return
    }
    const result = guard.run('decompose', () => decompose.decompose(trace, { contextRows, detail: false }))
    if (result === undefined) {
      forward?.uncounted(trace, true)
      next.uncounted(trace, placeOf(turn, Part.closed))
      return
    }
    if (!decompose.hold(result, contextRows, lastMs)) {
      found(result, placeOf(turn, Part.closed))
      return
    }
    heldLine.push({ place: placeOf(turn, Part.held), spans: trace.n })
    heldSpans += trace.n
    wait(trace, heldWaiting)
    // One in, one out: what is held stays within its bounds.
    judgeHeld(0, lastMs)
  }

  function wait({ traceId, custody }: TraceColumns, line: Counted[]): void {
    if (custody.first === 0) return
    line.push({ traceId: traceId.slice(0, 4), custody: { ...custody } })
    waiting.add(custody.first)
  }

  /** The first of a line was told of, or a stage failed on it. */
  function onWaited(line: Counted[], place: Place, isTold: boolean): void {
    const trace = line.shift()
    if (trace === undefined) return
    if (!isTold) next.uncounted(trace, place)
    waiting.remove(trace.custody.first)
  }

  function found(result: Decomposition, place: Place): void {
    const judged = parts.judge(result.requests)
    const counted = next.found(result, judged, place)
    guard.run('decompose', () => {
      decompose.learn(result, judged.bands)
    })
    passOn(result, counted)
  }

  function passOn(result: Decomposition, counted: CountedRequests | undefined): void {
    if (counted === undefined) forward?.uncounted(result.trace, true)
    else forward?.counted(result, counted)
  }

  function stepGiant(): void {
    const step = counting
    if (step !== undefined) {
      const done = guard.run('explain', () => step.next())
      if (done?.done === false) return
      counting = undefined
      onWaited(giantsWaiting, giantPlace(), done !== undefined)
      return
    }
    const slice = guard.run('decompose', () => ({ result: giants.step() }))
    if (slice === undefined) onWaited(giantsWaiting, giantPlace(), false)
    const result = slice?.result
    if (result === undefined) return
    const { bands, mayBeKept } = parts.judge(result.requests)
    // Other traces are judged while this one is being counted.
    const judged = { bands: bands.slice(0, result.requests.n), mayBeKept }
    decompose.learn(result, judged.bands)
    counting = countGiant(result, judged)
  }

  function* countGiant(result: Decomposition, judged: JudgedRequests): Generator<undefined, void> {
    let counted: CountedRequests | undefined
    try {
      counted = yield* next.foundGiant(result, judged, giantPlace())
    } finally {
      passOn(result, counted)
    }
  }

  const hasGiants = (): boolean => counting !== undefined || giants.waiting()

  function advanceGiants(): void {
    const untilMs = parts.turnMs() + GIANTS_MS
    while (hasGiants() && parts.turnMs() < untilMs) stepGiant()
  }

  /** Traces that were held until their neighbours had closed. */
  function judgeHeld(untilMs: number, nowMs: number): void {
    while (decompose.due(nowMs)) {
      const { place, spans } = heldLine.shift() as (typeof heldLine)[number]
      heldSpans -= spans
      const result = guard.run('decompose', () => decompose.take(() => ({ detail: false })))
      if (result !== undefined) found(result, place)
      onWaited(heldWaiting, place, result !== undefined)
      if (parts.turnMs() >= untilMs) return
    }
  }

  function begin(nowMs: number): void {
    lastMs = nowMs
    round += 1
    closed = 0
  }

  /** A slice at the least. */
  function goOnClosing(atMs: number): void {
    let atTurnMs = parts.turnMs()
    const untilMs = atTurnMs + parts.closeMs(atTurnMs - closedMs)
    while (assemble.due(atMs)) {
      assemble.closeDue(atMs)
      atTurnMs = parts.turnMs()
      if (atTurnMs >= untilMs) return
    }
    closedMs = atTurnMs
  }

  function judge(nowMs: number): void {
    const isLast = nowMs === Infinity
    const startMs = parts.turnMs()
    judgeHeld(isLast ? Infinity : startMs + parts.closeMs(startMs - judgedMs), nowMs)
    if (!decompose.due(nowMs)) judgedMs = parts.turnMs()
    if (isLast) forward?.shutdown()
  }

  return {
    take: assemble.consume,
    close(nowMs) {
      begin(nowMs)
      assemble.tick(nowMs)
      goOnClosing(nowMs)
      advanceGiants()
      forward?.tick(nowMs)
      return closed
    },
    closeDue(nowMs) {
      begin(nowMs)
      goOnClosing(nowMs)
      judge(nowMs)
      return closed
    },
    due: (nowMs) => assemble.due(nowMs) || decompose.due(nowMs),
    judge,
    closeAll(nowMs) {
      begin(nowMs)
      assemble.shutdown(nowMs)
      while (hasGiants()) stepGiant()
      return closed
    },
    relieve(bytesToFree, nowMs) {
      // Spans that go on as they came lose less than traces that close early.
      const bytes = bytesToFree - (forward?.relieve(bytesToFree) ?? 0)
      if (bytes > 0) assemble.relieve(Math.min(bytes, assemble.openBytes()), nowMs)
      return Math.max(0, bytes - assemble.openBytes())
    },
    openBytes: assemble.openBytes,
    openSpans: () => assemble.openSpans() + giants.spans() + heldSpans,
    oldestUncounted: () => Math.min(assemble.oldestOpen(), waiting.value()),
    replay: {
      begin: assemble.replay.begin,
      recall: assemble.replay.recall,
      close(atMs) {
        begin(atMs)
        while (assemble.due(atMs)) assemble.tick(atMs)
        advanceGiants()
        forward?.tick(atMs)
        return closed
      },
      end(nowMs) {
        advanceGiants()
        judgeHeld(parts.turnMs() + parts.closeMs(Infinity), Infinity)
        if (hasGiants() || decompose.due(Infinity)) return false
        assemble.replay.end(nowMs)
        return true
      }
    },
    mark(marks) {
      assemble.mark(marks)
      giants.mark(marks)
    },
    memory: () => ({ ...assemble.memory(), giants: giants.bytes(), ...forward?.memory() }),
    counters: assemble.counters
  }
}
