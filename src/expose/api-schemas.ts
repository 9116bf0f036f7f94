import { phases, grades } from '../model/phases.ts'
import { bands, classes, outcomes, samplings } from '../model/requests.ts'

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
  attributed_share: orNull(mean)
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
  at_unix_ms: { type: 'number' }
})

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

export const tailAnswer = {
  description: 'Why the tail of one operation is slow',
  ...record({
    ...operationProperties,
    sampling: oneOf(samplings),
    warnings: listOf(text),
    blame: listOf(blame),
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
        grades: { type: 'object', propertyNames: oneOf(phases.slice(0, -1)), additionalProperties: byGrade }
      })
    )
  })
} as const

export const learnedAnswer = {
  description: 'What this process has learned, for analyze --learned',
  type: 'object',
  additionalProperties: true
} as const

export const healthAnswer = {
  description: 'The process lives',
  ...record({ status: text, version: text, uptime_seconds: { type: 'number' } })
} as const
export const readyAnswer = { description: 'Whether spans are taken', ...record({ status: text }) } as const
