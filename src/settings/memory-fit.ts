import { loadSettings, type Settings } from './settings.ts'

/** The share of memory_limit at which senders are told to come back later. */
const SOFT_SHARE = 0.8
/** Node, the program, empty tables, and the garbage that is there at any time. */
const BASE_BYTES = 160 * 1024 ** 2
/** What Collectors send in one request by default is less than this. */
const REQUEST_BYTES_MIN = 4 * 1024 ** 2
/** With its evidence, and the rows that are free for the next. */
const SPAN_BYTES = 110
const TRACE_BYTES = 200
const PIECE_BYTES = 45
const REQUEST_BYTES = 100
/** Copies of a trace on its way out, beside its spans: gathered, cut and judged. */
const GIANT_SPANS_SHARE = 1 / 4

/** Sizes of the settings, in sixteenths of what memory_limit leaves for tables. */
interface Size {
  readonly key: string
  readonly of: (settings: Settings) => number
  readonly bytesEach: number
  readonly sixteenths: number
}

const sizes: readonly Size[] = [
  { key: 'accept.in_flight_bytes_max', of: ({ accept }) => accept.inFlightBytesMax, bytesEach: 1, sixteenths: 3 },
  { key: 'assemble.spans_max', of: ({ assemble }) => assemble.spansMax, bytesEach: SPAN_BYTES, sixteenths: 5 },
  { key: 'assemble.traces_max', of: ({ assemble }) => assemble.tracesMax, bytesEach: TRACE_BYTES, sixteenths: 1 },
  { key: 'assemble.late_bytes_max', of: ({ assemble }) => assemble.lateBytesMax, bytesEach: 1, sixteenths: 1 },
  {
    key: 'decompose.inference.held_bytes_max',
    of: ({ decompose }) => decompose.inference.heldBytesMax,
    bytesEach: 1,
    sixteenths: 1
  },
  {
    key: 'decompose.inference.pieces_max',
    of: ({ decompose }) => decompose.inference.piecesMax,
    bytesEach: PIECE_BYTES,
    sixteenths: 0.5
  },
  {
    key: 'decompose.inference.requests_max',
    of: ({ decompose }) => decompose.inference.requestsMax,
    bytesEach: REQUEST_BYTES,
    sixteenths: 0.5
  },
  { key: 'explain.retained_bytes_max', of: ({ explain }) => explain.retainedBytesMax, bytesEach: 1, sixteenths: 1 },
  // Once for the window and once for the totals.
  { key: 'explain.sketch_bytes_max', of: ({ explain }) => explain.sketchBytesMax, bytesEach: 2, sixteenths: 2 },
  { key: 'explain.history_bytes_max', of: ({ explain }) => explain.historyBytesMax, bytesEach: 1, sixteenths: 1 }
]

export interface Fitted {
  readonly settings: Settings
  /** What to tell whoever chose sizes that do not fit together. */
  readonly warnings: readonly string[]
}

/** Makes sizes that nobody chose (they are the defaults) smaller, so that all tables, full, are within the limit. */
export function fitToMemory(settings: Settings, limitBytes: number): Fitted {
  const defaults = loadSettings('', 'defaults', {})
  const room = Math.max(0, limitBytes * SOFT_SHARE - BASE_BYTES)
  const fitted = new Map(
    sizes.map(({ key, of, bytesEach, sixteenths }): [string, number] => {
      const fits = Math.floor((room * sixteenths) / 16 / bytesEach)
      return [key, of(settings) === of(defaults) ? Math.min(of(settings), Math.max(1, fits)) : of(settings)]
    })
  )
  const smaller = withSizes(settings, defaults, (key) => fitted.get(key) as number)
  return { settings: smaller, warnings: tooLarge(smaller, limitBytes) }
}

function withSizes(settings: Settings, defaults: Settings, size: (key: string) => number): Settings {
  const { accept, assemble, decompose, explain } = settings
  const bodies = size('accept.in_flight_bytes_max')
  const requestBytesMax = atMost(
    accept.requestBytesMax,
    defaults.accept.requestBytesMax,
    Math.max(bodies / 2, REQUEST_BYTES_MIN)
  )
  const spansMax = size('assemble.spans_max')
  return {
    ...settings,
    accept: { ...accept, requestBytesMax, inFlightBytesMax: Math.max(bodies, requestBytesMax) },
    assemble: {
      ...assemble,
      spansMax,
      tracesMax: size('assemble.traces_max'),
      lateBytesMax: size('assemble.late_bytes_max'),
      spansPerTraceMax: atMost(
        assemble.spansPerTraceMax,
        defaults.assemble.spansPerTraceMax,
        spansMax * GIANT_SPANS_SHARE
      )
    },
    decompose: {
      ...decompose,
      inference: {
        ...decompose.inference,
        heldBytesMax: size('decompose.inference.held_bytes_max'),
        piecesMax: size('decompose.inference.pieces_max'),
        requestsMax: size('decompose.inference.requests_max')
      }
    },
    explain: {
      ...explain,
      retainedBytesMax: size('explain.retained_bytes_max'),
      sketchBytesMax: size('explain.sketch_bytes_max'),
      historyBytesMax: size('explain.history_bytes_max')
    }
  }
}

/** A default gives way; what somebody chose stays. */
function atMost(value: number, byDefault: number, most: number): number {
  return value === byDefault ? Math.max(1, Math.min(value, Math.floor(most))) : value
}

const mib = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)}MiB`

function tooLarge(settings: Settings, limitBytes: number): string[] {
  const parts = sizes.map(({ key, of, bytesEach }) => ({ key, bytes: of(settings) * bytesEach }))
  const bytes = parts.reduce((sum, part) => sum + part.bytes, BASE_BYTES)
  if (bytes <= limitBytes) return []
  const largest = parts
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, 3)
    .map((part) => `${part.key} ${mib(part.bytes)}`)
  return [
    `the tables, full, come to ${mib(bytes)}, more than memory_limit ${mib(limitBytes)}: before that requests are refused and traces closed early. The largest: ${largest.join(', ')}`
  ]
}
