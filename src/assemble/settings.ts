import { z } from 'zod'
import { durationMs, section, sizeBytes } from '../runtime/setting-kinds.ts'

/** `assemble`: when a trace counts as finished, and how much may wait for that. */
export const assembleSection = section({
  quiet_time: durationMs
    .default(8_000)
    .describe(
      'A trace with its root closes when no span came for this long. Keep it above the export interval of the SDKs (5s); shorter answers sooner and makes more spans late.'
    ),
  root_wait: durationMs
    .default(60_000)
    .describe(
      'A trace without its root closes this long after its last span: the root is exported last. Raise it when requests without child spans last longer.'
    ),
  age_max: durationMs
    .default(15 * 60_000)
    .describe('A trace closes this long after its first span, whatever still comes. Raise it for very long jobs.'),
  late_window: durationMs
    .default(5 * 60_000)
    .describe(
      'A closed trace is remembered for this long, so that consumers that start later and exports sent twice are recognised.'
    ),
  late_bytes_max: sizeBytes
    .default(64 * 1024 ** 2)
    .describe(
      'Memory for closed traces; the oldest are forgotten first. About 80 bytes for a trace of 8 spans; at least 512KiB are used.'
    ),
  spans_max: z
    .int()
    .min(1)
    .max(100_000_000)
    .default(4_000_000)
    .describe(
      'Waiting spans; one more closes the trace that was quiet for longest. About 110 bytes each while they wait.'
    ),
  traces_max: z
    .int()
    .min(1)
    .max(20_000_000)
    .default(1_000_000)
    .describe('Waiting traces; one more closes the trace that was quiet for longest.'),
  spans_per_trace_max: z
    .int()
    .min(1)
    .max(10_000_000)
    .default(1_000_000)
    .describe('Spans of one trace; the trace closes with the next, and what still comes of it is dropped.'),
  slice_spans: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(128)
    .describe(
      'Spans closed between two looks at the clock; after 0.5 ms, or 8 once closing is late, it is the turn of requests and scrapes. Lower it if scrapes stall.'
    )
})

export interface AssembleSettings {
  readonly quietTimeMs: number
  readonly rootWaitMs: number
  readonly ageMaxMs: number
  readonly lateWindowMs: number
  readonly lateBytesMax: number
  readonly spansMax: number
  readonly tracesMax: number
  readonly spansPerTraceMax: number
  readonly sliceSpans: number
  /** For files: nothing closes by time, only for memory (the trace touched longest ago first) and at shutdown. */
  readonly holdUntilMemory: boolean
}

export function assembleSettings(parsed: z.output<typeof assembleSection>): AssembleSettings {
  return {
    quietTimeMs: parsed.quiet_time,
    rootWaitMs: parsed.root_wait,
    ageMaxMs: parsed.age_max,
    lateWindowMs: parsed.late_window,
    lateBytesMax: parsed.late_bytes_max,
    spansMax: parsed.spans_max,
    tracesMax: parsed.traces_max,
    spansPerTraceMax: parsed.spans_per_trace_max,
    sliceSpans: parsed.slice_spans,
    holdUntilMemory: false
  }
}
