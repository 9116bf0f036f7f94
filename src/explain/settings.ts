import { z } from 'zod'
import { type Budget } from '../model/budgets.ts'
import { type ClassName, classes } from '../model/requests.ts'
import { durationMs, section, sizeBytes } from '../runtime/setting-kinds.ts'

export { budgetsSection } from './budgets/settings.ts'

const MINUTE_MS = 60_000

const classRule = section({
  match: z
    .string()
    .min(1)
    .max(512)
    .describe('service/operation, * for any run of characters: "shop/cart/GET /events*". The first match wins.'),
  class: z.enum(classes).describe('What the operation is. Only request and message are banded and blamed.')
})

const samplingRule = section({
  service: z.string().min(1).max(512).describe('The service, * for any run of characters. The first match wins.'),
  kind: z
    .enum(['none', 'ratio', 'tail'])
    .describe('none: every trace comes here. ratio: a fair draw. tail: chosen by how they went, so no bands.'),
  ratio: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('Share that comes here, for SDKs that do not send it (ot=th): each request counts 1/ratio times.')
})

/** `explain`: the statistics of the tail, and what they may cost. */
export const explainSection = section({
  operations_max: z
    .int()
    .min(1)
    .max(100_000)
    .default(500)
    .describe('Operations with series of their own; the rest is counted under __other__. About 90 series each.'),
  row_idle: durationMs
    .default(60 * MINUTE_MS)
    .describe(
      'An operation, root or culprit not seen for this long loses its series. Keep it above an hour for daily rates.'
    ),
  row_idle_min: durationMs
    .default(10 * MINUTE_MS)
    .describe(
      'When operations_max is reached, a service below its fair share takes the row of an operation not seen for this long from one above it.'
    ),
  window: durationMs
    .default(10 * MINUTE_MS)
    .describe('Thresholds of the bands come from this much of the past. Longer is steadier, shorter follows the day.'),
  stream_after: durationMs
    .default(MINUTE_MS)
    .describe('An operation most of whose last 20 requests outlive this is a stream, which has no tail worth naming.'),
  classes: z.array(classRule).max(1_000).default([]).describe('Classes of operations that structure alone gets wrong.'),
  sampling: z
    .array(samplingRule)
    .max(1_000)
    .default([])
    .describe('How the traces of services were sampled, where they do not say.'),
  blame_roots_max: z
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('Root operations with blame series. About 35 series each.'),
  culprits_max: z
    .int()
    .min(1)
    .max(48)
    .default(16)
    .describe('Culprits named per root operation; the rest of the blame is under __other__.'),
  blame_gather: durationMs
    .default(30_000)
    .describe('The blame of a new root is shown after this long, so that its largest culprits get the places.'),
  budget_rows_max: z
    .int()
    .min(1)
    .max(100_000)
    .default(100)
    .describe(
      'Operations times targets of their budgets that are counted, at most 20 series each. Operations that a budget names come first; the rest is counted as overflow.'
    ),
  boundary_series_max: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(3_000)
    .describe(
      'Series of what crossing from one service or language to another takes. About 22 for each edge and what it costs there (network, marshalling, queue).'
    ),
  retained_bytes_max: sizeBytes
    .default(64 * 1024 ** 2)
    .describe('Memory for whole traces kept as examples. Raise it to look further back.'),
  retained_trace_bytes_max: sizeBytes
    .default(4 * 1024 ** 2)
    .describe('A larger trace is not kept as an example: one giant would push out hundreds. About 60 bytes a span.'),
  sketch_bytes_max: sizeBytes
    .default(64 * 1024 ** 2)
    .describe(
      'Memory for quantile sketches, once for the window and once for the totals. An operation uses 5 to 20 KiB.'
    ),
  history: durationMs
    .default(25 * 60 * MINUTE_MS)
    .describe(
      'How far back the page can look: minutes for an hour, five minutes for six hours, then quarters of an hour. A little over a day, so that an hour has its like of yesterday. 0s keeps none.'
    ),
  history_bytes_max: sizeBytes
    .default(64 * 1024 ** 2)
    .describe('Memory for history; beyond it the oldest goes first. An operation uses 40 to 100 KiB a day.')
})

export interface ExplainSettings {
  readonly operationsMax: number
  readonly rowIdleMs: number
  readonly rowIdleMinMs: number
  readonly windowMs: number
  readonly streamAfterMs: number
  readonly classes: readonly { readonly match: string; readonly class: ClassName }[]
  readonly samplings: readonly {
    readonly service: string
    readonly kind: 'none' | 'ratio' | 'tail'
    readonly ratio?: number | undefined
  }[]
  readonly blameRootsMax: number
  readonly culpritsMax: number
  readonly blameGatherMs: number
  readonly budgetRowsMax: number
  readonly budgets: readonly Budget[]
  readonly boundarySeriesMax: number
  readonly retainedBytesMax: number
  readonly retainedTraceBytesMax: number
  readonly sketchBytesMax: number
  readonly historyMs: number
  readonly historyBytesMax: number
}

export function explainSettings(
  parsed: z.output<typeof explainSection>,
  budgets: readonly Budget[] = []
): ExplainSettings {
  return {
    operationsMax: parsed.operations_max,
    rowIdleMs: parsed.row_idle,
    rowIdleMinMs: parsed.row_idle_min,
    windowMs: parsed.window,
    streamAfterMs: parsed.stream_after,
    classes: parsed.classes,
    samplings: parsed.sampling,
    blameRootsMax: parsed.blame_roots_max,
    culpritsMax: parsed.culprits_max,
    blameGatherMs: parsed.blame_gather,
    budgetRowsMax: parsed.budget_rows_max,
    budgets,
    boundarySeriesMax: parsed.boundary_series_max,
    retainedBytesMax: parsed.retained_bytes_max,
    retainedTraceBytesMax: parsed.retained_trace_bytes_max,
    sketchBytesMax: parsed.sketch_bytes_max,
    historyMs: parsed.history,
    historyBytesMax: parsed.history_bytes_max
  }
}
