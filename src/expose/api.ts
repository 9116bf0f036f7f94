import { type FastifyInstance } from 'fastify'
import { phases } from '../model/phases.ts'
import { Band, Sampling, bands, outcomes, samplings } from '../model/requests.ts'
import { type RetainedTrace, type TailTables } from '../model/tail.ts'
import { type Strings } from '../runtime/strings.ts'
import {
  budgetsPage,
  boundariesPage,
  errorAnswer,
  learnedAnswer,
  operationsPage,
  tailAnswer,
  traceAnswer,
  traceIdParams
} from './api-schemas.ts'
import { operationDetails } from './operation-details.ts'
import { tailExcess } from './overview.ts'
import { type SendText } from './send-text.ts'
import { type ExposeSettings } from './settings.ts'
import { type ExposeSources } from './sources.ts'

const NOT_KEPT = 'no such trace is kept'

interface Page {
  readonly limit: number
  readonly offset: number
}
interface OperationName {
  readonly service: string
  readonly operation: string
}

/** The JSON API: what `analyze --json` says, of what runs now. */
export function addApi(
  app: FastifyInstance,
  settings: ExposeSettings,
  sources: ExposeSources,
  { strings, sendText }: { readonly strings: Strings; readonly sendText: SendText }
): void {
  const pageQuery = {
    type: 'object',
    properties: {
      limit: { type: 'integer', minimum: 1, maximum: settings.pageMax, default: Math.min(100, settings.pageMax) },
      offset: { type: 'integer', minimum: 0, default: 0 }
    }
  }

  /** A list that is given out in pages; `all` gives it under its key, with what belongs to every page. */
  function addPages<Key extends string>(
    { path, ...about }: { readonly path: string; readonly summary: string; readonly response: object },
    key: Key,
    all: () => Readonly<Record<Key, readonly object[]>>
  ): void {
    const schema = {
      summary: about.summary,
      querystring: pageQuery,
      response: { 200: about.response, 400: errorAnswer }
    }
    app.get<{ Querystring: Page }>(path, { schema }, (request, reply) => {
      const { limit, offset } = request.query
      const answer = all()
      const list: readonly object[] = answer[key]
      return reply.send({ ...answer, [key]: list.slice(offset, offset + limit), total: list.length, limit, offset })
    })
  }

  addPages(
    { path: '/api/v1/operations', summary: 'Operations by tail excess', response: operationsPage },
    'operations',
    () => ({ operations: [...sources.operations()].sort((a, b) => tailExcess(b) - tailExcess(a)) })
  )
  addPages(
    { path: '/api/v1/budgets', summary: 'Latency budgets and how they are kept', response: budgetsPage },
    'states',
    sources.budgets
  )
  addPages(
    {
      path: '/api/v1/boundaries',
      summary: 'Calls between services and languages by tail excess',
      response: boundariesPage
    },
    'boundaries',
    () => ({ boundaries: sources.boundaries() })
  )

  app.get<{ Querystring: OperationName }>(
    '/api/v1/tail',
    {
      schema: {
        summary: 'Why the tail of one operation is slow',
        querystring: {
          type: 'object',
          required: ['service', 'operation'],
          properties: { service: { type: 'string' }, operation: { type: 'string' } }
        },
        response: { 200: tailAnswer, 400: errorAnswer, 404: errorAnswer }
      }
    },
    (request, reply) => {
      const tail = tailOf(request.query, { sources, strings, tracesMax: settings.tracesMax })
      return tail === undefined ? reply.code(404).send({ error: 'no such operation' }) : reply.send(tail)
    }
  )

  app.get<{ Params: { id: string }; Querystring: { format: 'tailspan' | 'otlp' } }>(
    '/api/v1/traces/:id',
    {
      schema: {
        summary: 'One kept trace',
        params: traceIdParams,
        querystring: {
          type: 'object',
          properties: {
            format: {
              type: 'string',
              enum: ['tailspan', 'otlp'],
              default: 'tailspan',
              description: 'otlp: as an OTLP/JSON export request, for trace viewers'
            }
          }
        },
        response: { 200: traceAnswer, 400: errorAnswer, 404: errorAnswer, 503: errorAnswer }
      }
    },
    (request, reply) => {
      const id = request.params.id.toLowerCase()
      return sendText(reply, () => (request.query.format === 'otlp' ? sources.otlp(id) : sources.trace(id)), NOT_KEPT)
    }
  )

  app.get(
    '/api/v1/learned',
    { schema: { summary: 'What this process has learned', response: { 200: learnedAnswer } } },
    (_request, reply) => reply.send(sources.learned())
  )
}

interface TailParts {
  readonly sources: ExposeSources
  readonly strings: Strings
  readonly tracesMax: number
}

function tailOf(name: OperationName, { sources, strings, tracesMax }: TailParts): object | undefined {
  const isIt = ({ service, operation }: OperationName): boolean =>
    service === name.service && operation === name.operation
  const summary = sources.operations().find(isIt)
  if (summary === undefined) return undefined
  const sampling = samplingOf(sources.tables, strings, name.service)
  const row = rowOf(sources.tables, strings, name)
  return {
    ...summary,
    sampling: samplings[sampling],
    warnings: warningsOf(sampling),
    ...(row !== undefined && operationDetails(sources.tables.operations, row)),
    blame: sources.blame().filter(({ root }) => isIt(root)),
    budgets: sources.budgets().states.filter(isIt),
    traces: retainedOf(sources.tables, row)
      .slice(0, tracesMax)
      .map((kept) => retainedTrace(kept, sources.versionOf(kept.traceId, name.service)))
  }
}

/** Names of strangers are compared with those there are, never interned. */
function rowOf({ operations }: TailTables, strings: Strings, name: OperationName): number | undefined {
  const { rows, live, service, operation } = operations
  for (let row = 0; row < rows; row++) {
    if (live[row] !== 1 || strings.text(operation[row] as number) !== name.operation) continue
    if (strings.text(service[row] as number) === name.service) return row
  }
  return undefined
}

function retainedOf({ operations, retainedOf }: TailTables, row: number | undefined): readonly RetainedTrace[] {
  return row === undefined ? [] : retainedOf(operations.service[row] as number, operations.operation[row] as number)
}

function samplingOf(tables: TailTables, strings: Strings, service: string): number {
  return tables.samplings().find((entry) => strings.text(entry.service) === service)?.sampling ?? Sampling.unknown
}

function warningsOf(sampling: number): string[] {
  if (sampling === Sampling.tail) {
    return ['These requests were chosen by how slow they were: bands and shares say nothing about all requests.']
  }
  if (sampling !== Sampling.unknown) return []
  return ['How these requests were sampled is unknown: if slow ones were preferred, bands and shares are wrong.']
}

function retainedTrace(kept: RetainedTrace, version: string | undefined): object {
  const { traceId, durationNs, band, outcome, dominantPhase, atMs } = kept
  return {
    trace_id: traceId,
    duration_ns: durationNs,
    band: band === Band.none ? null : bands[band],
    outcome: outcomes[outcome],
    dominant: phases[dominantPhase] ?? null,
    version: version ?? null,
    at_unix_ms: atMs
  }
}
