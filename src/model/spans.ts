/** SpanKind as OTLP numbers it. */
export const Kind = { unspecified: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const

/** Bits of a span's `flags` column: what its attributes say beyond the columns. */
export const SpanFlag = {
  /** It has HTTP or RPC meaning (`http.*`, `rpc.*`, or tower-http's method and uri), so a root is a request. */
  requestLike: 1,
  /** Streaming RPC, server-sent events, WebSocket. */
  streaming: 2,
  /** A known tail sampler chose this trace. */
  tailSampled: 4,
  /** The SDK dropped attributes: what is missing is unknown, not zero. */
  droppedAttributes: 8,
  /** OTLP flags said whether the parent is remote ... */
  parentLocationKnown: 16,
  /** ... and it is. */
  parentRemote: 32,
  /** It has an attribute of a name that forwarding may add. */
  hasAddedName: 64
} as const

/**
 * Evidence rows are what the decoder kept of attributes, events and links: a code and two numbers.
 * Codes below `Evidence.firstWanted` are the decoder's own; the others index the wants it was given.
 */
export const Evidence = {
  /** `ot=th` of tracestate. a = rejection threshold / 2^56, in [0, 1). */
  samplingThreshold: 0,
  /** A link to a span of the same trace. a, b = high and low word of its span id. */
  linkSameTrace: 1,
  /**
   * What the spans of its process, taken together, say of a span: added by decompose. The code is this plus the phase, plus
   * PHASES where it is the callee's. a = ns since the span's start, b = ns.
   */
  inferred: 2,
  firstWanted: 32
} as const

/** What an evidence source asks the decoder to keep. The row's code is `Evidence.firstWanted` + the want's index. */
export type Want =
  /** A number (int, double or numeric string). a = value. */
  | { readonly from: 'attribute'; readonly key: string; readonly type: 'number' }
  /** A string. a = interned id. Of a string array, its first element. */
  | { readonly from: 'attribute'; readonly key: string; readonly type: 'string' }
  /**
   * A moment since 1970 in s, ms, us or ns, told by its size, as a number or text (`t=1700000000.5`), or an ISO date; of the
   * span or of its links. a = ns since 1970 (256 ns apart at best), b = how exact in ns. Of several the earliest.
   */
  | { readonly from: 'attribute'; readonly key: string; readonly type: 'epoch' }
  /** A span event by name (one, or those that pass a test), by one string attribute, or both. a = its time in ns since the span's start, b = its field as a number (0 without). */
  | {
      readonly from: 'event'
      readonly name?: string
      readonly nameTest?: (text: string) => boolean
      readonly where?: { readonly key: string; readonly equals: string }
      readonly field?: string
    }

/** By number. A number keeps its meaning while the process lives, so of one that nobody asks for any more its place stays. */
export type Wants = readonly (Want | undefined)[]

export interface EvidenceColumns {
  code: Uint16Array
  a: Float64Array
  b: Float64Array
}

/**
 * The accepted spans of one export request, in columns. Row i's evidence is rows evidenceEnd[i-1] (0 for the first)
 * to evidenceEnd[i]. Times are unsigned 64-bit Unix nanoseconds in two words. Ids are big-endian words.
 */
export interface SpanBatch {
  n: number
  /** Four words a row. */
  traceId: Uint32Array
  /** Two words a row. */
  spanId: Uint32Array
  /** Two words a row; both 0 = no parent. */
  parentId: Uint32Array
  startHi: Uint32Array
  startLo: Uint32Array
  endHi: Uint32Array
  endLo: Uint32Array
  /** Interned strings. `operation` is the operation's name if this span turns out to be an entry span. */
  name: Uint32Array
  operation: Uint32Array
  scope: Uint32Array
  /** Row in Resources. */
  resource: Uint32Array
  kind: Uint8Array
  outcome: Uint8Array
  flags: Uint16Array
  /** What whoever forwards spans calls the bytes each came in; 0 = nobody keeps them. */
  held: Uint32Array
  evidenceEnd: Uint32Array
  evidence: EvidenceColumns
  /** Where several threads share the spans: when each came, counted over all of them and wrapping; else undefined. */
  order?: Uint32Array | undefined
}

/** Why the assembler let go of a trace; a metric label. */
export const closeReasons = ['quiet', 'no_root', 'age', 'spans', 'memory', 'shutdown', 'late_unit'] as const
export const CloseReason = { quiet: 0, noRoot: 1, age: 2, spans: 3, memory: 4, shutdown: 5, lateUnit: 6 } as const

/**
 * Where a trace stands in the segment log: the sequences of the first and the last request with a span of it (0 without a
 * log), and into how many parts what came after its closing was split. Whoever has counted all parts has settled all its
 * spans up to `last`.
 */
export interface Custody {
  first: number
  last: number
  parts: number
}

/**
 * One closed trace, in columns that the assembler reuses: whoever keeps it copies it. Row order is arrival order.
 * Times are exact integer ns after `base` (a 64-bit Unix time in two words), so plain numbers stay exact.
 */
export interface TraceColumns {
  n: number
  readonly traceId: Uint32Array
  readonly custody: Custody
  baseHi: number
  baseLo: number
  closedBy: number
  /** Spans were refused, dropped for a cap, or came too late: the picture has holes. */
  truncated: boolean
  /** Two words a row. */
  spanId: Uint32Array
  parentId: Uint32Array
  startNs: Float64Array
  endNs: Float64Array
  name: Uint32Array
  operation: Uint32Array
  scope: Uint32Array
  resource: Uint32Array
  kind: Uint8Array
  outcome: Uint8Array
  flags: Uint16Array
  /** As in the batch they came in. */
  held: Uint32Array
  evidenceEnd: Uint32Array
  evidence: EvidenceColumns
}

/** Why a span that was taken is in no trace that is handed on. */
export const Unplaced = { duplicate: 0, overLimit: 1, settled: 2 } as const

/** Who sent spans. One row per distinct combination, shared by all stages. */
export interface Resources {
  readonly rows: number
  /** `service.name`, with `service.namespace/` before it when set. Interned. */
  readonly service: Uint32Array
  /** Identity of the operating-system process by the identity chain; 0 = unknown. Interned. */
  readonly process: Uint32Array
  /** Identity of the host (its clock); 0 = unknown. Interned. */
  readonly host: Uint32Array
  readonly version: Uint32Array
  readonly language: Uint8Array
  /** The process that another of its identities stands for, as far as some sender named both; itself without, 0 when several do. */
  readonly processAlias?: (process: number) => number
}
export const languages = ['unknown', 'go', 'rust', 'other'] as const
export const Language = { unknown: 0, go: 1, rust: 2, other: 3 } as const
