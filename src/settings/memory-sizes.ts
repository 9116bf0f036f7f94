import { QUEUE_BYTES } from '../forward/settings.ts'
import { type Settings } from './settings.ts'

const MIB = 1024 ** 2

/** Node, the program, empty tables, and the garbage that is there at any time. */
const BASE_BYTES = 160 * MIB
/** A thread's own: its heap with the same program in it, stacks, buffers. */
export const WORKER_BYTES = 80 * MIB

/** With its evidence, and the rows that are free for the next. */
const SPAN_BYTES = 110
const TRACE_BYTES = 200
/** Of a trace on its way out, beside what its spans took while it was open: gathered, waiting for its turn, cut and judged. */
const GIANT_SPAN_BYTES = 480
const PIECE_BYTES = 46
const REQUEST_BYTES = 94
const SPREAD_BYTES = 401
const BODY_BYTES = 337
const WATCHED_BYTES = 656
const CLOCK_PAIR_BYTES = 1_094
const INSTANCE_BYTES = 2_369
const INSTANCE_INTERVAL_BYTES = 480
const OPERATION_BYTES = 3_100
const BLAME_ROOT_BYTES = 32 * 1024
/** Of all senders that can be told apart. */
const SENDERS_BYTES = 5.5e6
/** Texts and keys that were looked at before. */
const REDACTION_BYTES = 5e6

/** A table or queue by the setting that bounds it. */
export interface Size {
  readonly key: string
  readonly of: (settings: Settings) => number
  /** Where it is not the one in the settings' defaults. */
  readonly byDefault?: number
  readonly bytesEach: number
  /** Its part of what memory_limit leaves for all of them. */
  readonly share: number
  readonly with: (settings: Settings, size: number) => Settings
}

type SectionName = 'accept' | 'assemble' | 'explain' | 'forward' | 'durability'

/** Of a section of the settings. */
function sizeIn<S extends SectionName>(
  [sectionName, name]: readonly [S, keyof Settings[S]],
  size: Pick<Size, 'key' | 'bytesEach' | 'share'>
): Size {
  return {
    ...size,
    of: (settings) => settings[sectionName][name] as number,
    with: (settings, value) => ({ ...settings, [sectionName]: { ...settings[sectionName], [name]: value } })
  }
}

function sizeOfInference(
  name: 'heldBytesMax' | 'piecesMax' | 'requestsMax' | 'spreadsMax',
  size: Pick<Size, 'key' | 'bytesEach' | 'share'>
): Size {
  return {
    ...size,
    of: ({ decompose }) => decompose.inference[name],
    with: ({ decompose, ...others }, value) => ({
      ...others,
      decompose: { ...decompose, inference: { ...decompose.inference, [name]: value } }
    })
  }
}

const names: Size = {
  key: 'names_bytes_max',
  bytesEach: 1,
  share: 3,
  of: ({ namesBytesMax }) => namesBytesMax,
  with: (settings, namesBytesMax) => ({ ...settings, namesBytesMax })
}

const runtimeInstances = (intervals: number): Size => ({
  key: 'decompose.runtime_instances_max',
  bytesEach: INSTANCE_BYTES + intervals * INSTANCE_INTERVAL_BYTES,
  share: 1,
  of: ({ decompose }) => decompose.runtimeInstancesMax,
  with: ({ decompose, ...others }, runtimeInstancesMax) => ({
    ...others,
    decompose: { ...decompose, runtimeInstancesMax }
  })
})

const bodies: Size = {
  key: 'decompose.bodies_max',
  bytesEach: BODY_BYTES,
  share: 0.5,
  of: ({ decompose }) => decompose.bodiesMax,
  with: ({ decompose, ...others }, bodiesMax) => ({ ...others, decompose: { ...decompose, bodiesMax } })
}

export const inFlight = sizeIn(['accept', 'inFlightBytesMax'], {
  key: 'accept.in_flight_bytes_max',
  bytesEach: 1,
  share: 3
})

const always: readonly Size[] = [
  inFlight,
  sizeIn(['assemble', 'spansMax'], { key: 'assemble.spans_max', bytesEach: SPAN_BYTES, share: 5 }),
  sizeIn(['assemble', 'tracesMax'], { key: 'assemble.traces_max', bytesEach: TRACE_BYTES, share: 1 }),
  sizeIn(['assemble', 'lateBytesMax'], { key: 'assemble.late_bytes_max', bytesEach: 1, share: 1 }),
  sizeOfInference('heldBytesMax', { key: 'decompose.inference.held_bytes_max', bytesEach: 1, share: 1 }),
  sizeOfInference('piecesMax', { key: 'decompose.inference.pieces_max', bytesEach: PIECE_BYTES, share: 0.5 }),
  sizeOfInference('requestsMax', { key: 'decompose.inference.requests_max', bytesEach: REQUEST_BYTES, share: 0.5 }),
  sizeOfInference('spreadsMax', { key: 'decompose.inference.spreads_max', bytesEach: SPREAD_BYTES, share: 0.5 }),
  bodies,
  names,
  sizeIn(['explain', 'retainedBytesMax'], { key: 'explain.retained_bytes_max', bytesEach: 1, share: 1 }),
  // Once for the window and once for the totals.
  sizeIn(['explain', 'sketchBytesMax'], { key: 'explain.sketch_bytes_max', bytesEach: 2, share: 2 }),
  sizeIn(['explain', 'historyBytesMax'], { key: 'explain.history_bytes_max', bytesEach: 1, share: 1 })
]

/** Each shard may be busy with a trace of the most spans. */
const giants = (workers: number): Size =>
  sizeIn(['assemble', 'spansPerTraceMax'], {
    key: 'assemble.spans_per_trace_max',
    bytesEach: GIANT_SPAN_BYTES * workers,
    share: 3
  })

const held = sizeIn(['forward', 'heldBytesMax'], { key: 'forward.held_bytes_max', bytesEach: 1, share: 4 })
/** Of the segment log, and of the queue of each destination while its disk is slow. */
const waiting = (queues: number): Size =>
  sizeIn(['durability', 'waitingBytesMax'], {
    key: 'segment_log.waiting_bytes_max',
    bytesEach: 1 + queues,
    share: 1 + queues
  })

function queueOf(place: number): Size {
  return {
    key: `forward.destinations[${place}].queue_bytes_max`,
    byDefault: QUEUE_BYTES,
    bytesEach: 1,
    share: 2,
    of: ({ forward }) => forward.destinations[place]?.queueBytesMax ?? 0,
    with: ({ forward, ...others }, queueBytesMax) => ({
      ...others,
      forward: {
        ...forward,
        destinations: forward.destinations.map((one, i) => (i === place ? { ...one, queueBytesMax } : one))
      }
    })
  }
}

/** Those that these settings fill. */
export function sizesOf({ workers, durability, decompose, forward }: Settings): readonly Size[] {
  const { destinations, enrich } = forward
  const isOnDisk = durability.mode !== 'off'
  return [
    ...always,
    giants(workers),
    runtimeInstances(decompose.runtimeIntervalsMax),
    ...(destinations.length > 0 && enrich.length > 0 ? [held] : []),
    ...(isOnDisk ? [waiting(destinations.length)] : destinations.map((_, place) => queueOf(place)))
  ]
}

/** What does not give way: the process itself, and tables that are small or whose sizes say what is shown. */
export function fixedBytes({ workers, decompose, explain, redaction }: Settings): number {
  return (
    BASE_BYTES +
    SENDERS_BYTES +
    (workers > 1 ? workers * WORKER_BYTES : 0) +
    decompose.inference.queuesMax * WATCHED_BYTES +
    decompose.clockPairsMax * CLOCK_PAIR_BYTES +
    explain.operationsMax * OPERATION_BYTES +
    explain.blameRootsMax * BLAME_ROOT_BYTES +
    (redaction.rules.length > 0 ? REDACTION_BYTES : 0)
  )
}
