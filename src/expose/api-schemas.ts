import { advices } from '../model/advice.ts'
import { patterns } from '../model/patterns.ts'
import { boundaryComponents } from '../model/boundaries.ts'
import { phases, grades } from '../model/phases.ts'
import { bands, classes, outcomes, samplings } from '../model/requests.ts'
import { languages } from '../model/spans.ts'

// The schemas describe the answers and check the questions. Answers are serialised as they are (server.ts), so a key that
// a schema lacks is not lost.

const text = { type: 'string' } as const
const hex32 = { type: 'string', pattern: '^[0-9a-f]{32}$' } as const
const hex16 = { type: 'string', pattern: '^[0-9a-f]{16}$' } as const
const ns = { type: 'integer' } as const
const mean = { type: 'number' } as const
const orNull = (schema: { readonly type: string; readonly [key: string]: unknown }): object => ({
  ...schema,
  type: [schema.type, 'null'],
  ...(Array.isArray(schema['enum']) && { enum: [...(schema['enum'] as readonly string[]), null] })
})
const oneOf = (values: readonly string[]) => ({ type: 'string', enum: values }) as const
const listOf = (items: object) => ({ type: 'array', items }) as const
const record = (properties: Readonly<Record<string, object>>, optional: readonly string[] = []) =>
  ({ type: 'object', properties, required: Object.keys(properties).filter((key) => !optional.includes(key)) }) as const

const byPhase = (value: object) => record(Object.fromEntries(phases.map((phase) => [phase, value])))
const byGrade = record(Object.fromEntries(grades.map((grade) => [grade, ns])))
const meansByPhase = { type: 'object', propertyNames: oneOf(phases), additionalProperties: mean } as const

const operationProperties = {
  service: text,
  operation: text,
  class: oneOf(classes),
  requests: { type: 'number' },
  weight: { type: 'number' },
  quantiles_ns: record({ p50: orNull(mean), p95: orNull(mean), p99: orNull(mean), p999: orNull(mean) }),
  body: orNull(record({ phases_mean_ns: meansByPhase })),
  tail: orNull(record({ phases_mean_ns: meansByPhase })),
  excess_mean_ns: orNull(meansByPhase),
  dominant: orNull(oneOf(phases)),
  attributed_share: orNull(mean),
  unattributed_tail_share: orNull({
    ...mean,
    description: 'Of the time of its slowest requests lately'
  }),
  advice: {
    description: 'The one switch that would explain most of that: at most one',
    ...listOf(record({ advice: oneOf(advices), title: text, text, share: mean }))
  },
  patterns: listOf(
    record({
      pattern: oneOf(patterns),
      body: record({ requests_share: mean, mean_ns: mean }),
      tail: record({ requests_share: mean, mean_ns: mean }),
      excess_mean_ns: mean
    })
  )
}

const blame = record({
  root: record({ service: text, operation: text }),
  culprit: record({ service: text, operation: text, phase: oneOf(phases) }),
  excess_mean_ns: orNull(mean),
  share: orNull(mean)
})

const retainedTrace = record({
  trace_id: hex32,
  duration_ns: ns,
  band: orNull(oneOf(bands)),
  outcome: oneOf(outcomes),
  dominant: orNull(oneOf(phases)),
  version: orNull(text),
  at_unix_ms: { type: 'number' }
})

const byOutcome = record(Object.fromEntries(outcomes.map((outcome) => [outcome, { type: 'number' }])))
const gradeMeans = record(Object.fromEntries(grades.map((grade) => [grade, mean])))

export const errorAnswer = { description: 'What was wrong', ...record({ error: text }) } as const

export const operationsPage = {
  description: 'Operations, those with the largest tail excess first',
  ...record({
    operations: listOf(record(operationProperties)),
    total: { type: 'integer' },
    limit: { type: 'integer' },
    offset: { type: 'integer' }
  })
} as const

const targetProperties = {
  budget: { ...text, description: 'p99, or p99:queue_wait of a phase' },
  phase: orNull(oneOf(phases)),
  threshold_ns: ns,
  allowed_ratio: { type: 'number' }
}
const shares = (description: string) => ({
  description,
  ...record({ within: { type: 'number' }, over: { type: 'number' }, over_ratio: orNull(mean) })
})
const budgetState = record({
  service: text,
  operation: text,
  ...targetProperties,
  state: {
    ...oneOf(['within', 'over', 'too_few']),
    description: 'Of the last window. too_few: not even one of its requests may be over'
  },
  recent: shares('Weighted requests of the last window'),
  total: shares('Weighted requests since the operation was first counted'),
  dominant: { ...orNull(oneOf(phases)), description: 'What requests over have most more of than those within' }
})

export const budgetsPage = {
  description: 'Budgets as in the settings, and their operations, those that spend their budget fastest first',
  ...record({
    window_seconds: { type: 'number' },
    budgets: listOf(
      record({
        service: text,
        operation: text,
        operations: { type: 'integer', description: 'Operations that it counts now; 0: none came' },
        targets: listOf(record(targetProperties))
      })
    ),
    states: listOf(budgetState),
    total: { type: 'integer' },
    limit: { type: 'integer' },
    offset: { type: 'integer' }
  })
} as const

const boundarySide = record({ service: text, language: oneOf(languages) })
const boundaryMean = orNull(record({ calls: { type: 'number' }, mean_ns: mean }))

export const boundariesPage = {
  description: 'What crossing from one service and language to another takes, those with the largest tail excess first',
  ...record({
    boundaries: listOf(
      record({
        caller: boundarySide,
        callee: boundarySide,
        component: oneOf(boundaryComponents),
        body: boundaryMean,
        tail: boundaryMean,
        excess_mean_ns: orNull(mean)
      })
    ),
    total: { type: 'integer' },
    limit: { type: 'integer' },
    offset: { type: 'integer' }
  })
} as const

export const tailAnswer = {
  description: 'Why the tail of one operation is slow',
  ...record({
    ...operationProperties,
    sampling: oneOf(samplings),
    warnings: listOf(text),
    first_seen_unix_ms: { type: 'number' },
    partial: { type: 'number' },
    bands: record(Object.fromEntries(bands.map((band) => [band, byOutcome]))),
    tail_grades_mean_ns: orNull({
      type: 'object',
      propertyNames: oneOf(phases.slice(0, -1)),
      additionalProperties: gradeMeans
    }),
    distribution: {
      description: 'Upper bound in ns and weighted requests, without the empty ends',
      ...listOf(listOf({ type: 'number' }))
    },
    blame: listOf(blame),
    budgets: listOf(budgetState),
    traces: listOf(retainedTrace)
  })
} as const

export const traceAnswer = {
  description: 'One kept trace, as in analyze --json',
  ...record({
    trace_id: hex32,
    complete: { type: 'boolean' },
    root: orNull(record({ span_id: hex16, service: text, operation: text, duration_ns: ns })),
    critical_path: listOf(record({ span_id: hex16, start_unix_nano: text, end_unix_nano: text })),
    blame: listOf(
      record({
        span_id: hex16,
        service: text,
        operation: text,
        phase: oneOf(phases),
        ns,
        grade: orNull(oneOf(grades))
      })
    ),
    spans: listOf(
      record({
        span_id: hex16,
        service: text,
        name: text,
        duration_ns: ns,
        phases: byPhase(ns),
        in_process_children_ns: ns
      })
    ),
    requests: listOf(
      record({
        span_id: hex16,
        service: text,
        operation: text,
        class: oneOf(classes),
        outcome: oneOf(outcomes),
        duration_ns: ns,
        lead_wait_ns: ns,
        band: orNull(oneOf(bands)),
        phases: byPhase(ns),
        grades: { type: 'object', propertyNames: oneOf(phases.slice(0, -1)), additionalProperties: byGrade },
        patterns: { type: 'object', propertyNames: oneOf(patterns), additionalProperties: ns }
      })
    )
  })
} as const

export const traceIdParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string', pattern: '^[0-9a-fA-F]{32}$', description: '32 hex digits' } }
} as const

export const overviewAnswer = {
  description:
    'Rows of service, operation, class, requests, p50, p99, dominant phase, mean ns by phase of body and of tail, the top culprit: service, operation, phase, share; and the budget that is spent fastest: label, state, share over and share allowed',
  ...record({
    version: text,
    started_unix_ms: { type: 'number' },
    otlp: record({ grpc: { type: 'integer' }, http: { type: 'integer' } }),
    spans_received: { type: 'number' },
    phases: listOf(oneOf(phases)),
    total: { type: 'integer' },
    operations: listOf({ type: 'array' })
  })
} as const

const column = { type: 'array' } as const
const flatTriples = listOf(ns)

export const waterfallAnswer = {
  description:
    'Spans in columns by start; own: span, phase * 3 + grade, ns; path: span, start, end; requests: span, operation, duration, lead, band, p50, p99; names are indexes of texts',
  ...record({
    trace_id: hex32,
    complete: { type: 'boolean' },
    start_unix_nano: text,
    duration_ns: ns,
    spans_total: { type: 'integer' },
    root: { type: 'integer' },
    spans: record(
      Object.fromEntries(
        ['id', 'parent', 'start_ns', 'duration_ns', 'name', 'service', 'version', 'kind', 'outcome'].map((key) => [
          key,
          column
        ])
      )
    ),
    own: flatTriples,
    path: flatTriples,
    blame: listOf(
      record({ service: text, operation: text, phase: oneOf(phases), grade: orNull(oneOf(grades)), ns: mean })
    ),
    requests: listOf({ type: 'array' }),
    texts: listOf(text)
  })
} as const

export const claimsAnswer = {
  description: 'Claims on the time of one span, as in analyze --explain --json',
  ...record({
    span_id: hex16,
    claims: listOf(
      record({
        span_id: hex16,
        name: text,
        source: text,
        phase: oneOf(phases),
        grade: orNull(oneOf(grades)),
        asked_ns: mean,
        booked_ns: mean,
        note: text
      })
    )
  })
} as const

const historyMeans = orNull(record({ requests: { type: 'number' }, phases_mean_ns: meansByPhase }))

export const historyAnswer = {
  description:
    'Points in order of time; stretches without requests have none. body: at or below p50 and ok, tail: above p99, by the thresholds of their time',
  ...record({
    service: text,
    operation: text,
    from_unix_ms: { type: 'number' },
    to_unix_ms: { type: 'number' },
    since_unix_ms: orNull({ type: 'number', description: 'From where history is known at all' }),
    points: listOf(
      record({
        from_unix_ms: { type: 'number' },
        to_unix_ms: { type: 'number' },
        requests: { type: 'number' },
        outcomes: byOutcome,
        quantiles_ns: record({ p50: mean, p95: mean, p99: orNull(mean), p999: orNull(mean) }),
        body: historyMeans,
        tail: historyMeans
      })
    ),
    versions: {
      description: 'When another service.version began to answer requests',
      ...listOf(record({ at_unix_ms: { type: 'number' }, version: text }))
    }
  })
} as const

export const linksAnswer = {
  description: 'Where the page can send its reader',
  ...record({ prometheus: orNull(text) })
} as const

export const learnedAnswer = {
  description: 'What this process has learned, for analyze --learned',
  type: 'object',
  additionalProperties: true
} as const

export const healthAnswer = {
  description: 'The process lives',
  ...record({
    status: text,
    version: text,
    uptime_seconds: { type: 'number' },
    warnings: { type: 'array', items: text, description: 'What an operator should know at once' },
    refusing: {
      type: 'array',
      items: text,
      description: 'Why senders are told to come back later; empty when they are not'
    }
  })
} as const
export const readyAnswer = { description: 'Whether spans are taken', ...record({ status: text }) } as const
