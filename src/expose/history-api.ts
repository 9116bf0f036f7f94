import { type FastifyInstance } from 'fastify'
import { errorAnswer, historyAnswer } from './api-schemas.ts'
import { type ExposeSources } from './sources.ts'

/** More points than a chart has room for. */
const POINTS_MAX = 400
const POINTS = 60
const HOUR_MS = 3_600_000
/** What JSON and dates hold exactly. */
const unixMs = { type: 'integer', minimum: 0, maximum: 8.64e15 } as const

interface HistoryQuestion {
  readonly service: string
  readonly operation: string
  readonly from_unix_ms?: number
  readonly to_unix_ms?: number
  readonly points: number
}

/** What an operation did over the last day, and when its service's version changed. */
export function addHistoryApi(app: FastifyInstance, sources: ExposeSources, nowMs: () => number): void {
  app.get<{ Querystring: HistoryQuestion }>(
    '/api/v1/history',
    {
      schema: {
        summary: 'One operation over time; a longer range gives coarser points, never more of them',
        querystring: {
          type: 'object',
          required: ['service', 'operation'],
          properties: {
            service: { type: 'string' },
            operation: { type: 'string' },
            from_unix_ms: { ...unixMs, description: 'By default an hour before to_unix_ms' },
            to_unix_ms: { ...unixMs, description: 'By default now' },
            points: {
              type: 'integer',
              minimum: 1,
              maximum: POINTS_MAX,
              default: POINTS,
              description: 'At most so many; 1 adds up the whole range, for comparing it with another'
            }
          }
        },
        response: { 200: historyAnswer, 400: errorAnswer, 404: errorAnswer }
      }
    },
    (request, reply) => {
      const { service, operation, points: pointsMax } = request.query
      const toMs = request.query.to_unix_ms ?? nowMs()
      const fromMs = request.query.from_unix_ms ?? toMs - HOUR_MS
      if (fromMs >= toMs) return reply.code(400).send({ error: 'from_unix_ms must lie before to_unix_ms' })
      const history = sources.history(service, operation, { fromMs, toMs, pointsMax })
      if (history === undefined) return reply.code(404).send({ error: 'no such operation in the history' })
      return reply.send({ service, operation, from_unix_ms: fromMs, to_unix_ms: toMs, ...history })
    }
  )
}
