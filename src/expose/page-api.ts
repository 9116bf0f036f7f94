import { type FastifyInstance } from 'fastify'
import { claimsAnswer, errorAnswer, overviewAnswer, traceIdParams, waterfallAnswer } from './api-schemas.ts'
import { createOverview } from './overview.ts'
import { sendCached } from './page-files.ts'
import { type ExposeSettings } from './settings.ts'
import { type ExposeSources } from './sources.ts'

const NOT_KEPT = { error: 'no such trace is kept' }
/** Longer than any name that is kept. */
const FILTER_CHARS_MAX = 1_024

/** What the page asks beyond the API: the same answers, shorter. */
export function addPageApi(
  app: FastifyInstance,
  settings: ExposeSettings,
  sources: ExposeSources,
  nowMs: () => number
): void {
  const overview = createOverview({ sources, operationsMax: settings.pageMax, nowMs })
  app.get<{ Querystring: { filter: string } }>(
    '/api/v1/overview',
    {
      schema: {
        summary: 'Operations by tail excess, short',
        querystring: {
          type: 'object',
          properties: { filter: { type: 'string', maxLength: FILTER_CHARS_MAX, default: '' } }
        },
        response: { 200: overviewAnswer, 400: errorAnswer }
      }
    },
    async (request, reply) => {
      const { etag, plain, gzipped } = await overview(request.query.filter)
      void reply.type('application/json; charset=utf-8')
      return sendCached(request, reply, { etag, plain, gzipped: () => gzipped })
    }
  )

  app.get<{ Params: { id: string } }>(
    '/api/v1/traces/:id/waterfall',
    {
      schema: {
        summary: 'One kept trace to draw, in columns',
        params: traceIdParams,
        response: { 200: waterfallAnswer, 400: errorAnswer, 404: errorAnswer }
      }
    },
    (request, reply) => {
      const waterfall = sources.waterfall(request.params.id.toLowerCase(), settings.waterfallSpansMax)
      return waterfall === undefined ? reply.code(404).send(NOT_KEPT) : reply.send(waterfall)
    }
  )

  app.get<{ Params: { id: string }; Querystring: { span_id: string } }>(
    '/api/v1/traces/:id/claims',
    {
      schema: {
        summary: 'Who says what of one span of a kept trace',
        params: traceIdParams,
        querystring: {
          type: 'object',
          required: ['span_id'],
          properties: { span_id: { type: 'string', pattern: '^[0-9a-f]{16}$', description: '16 hex digits' } }
        },
        response: { 200: claimsAnswer, 400: errorAnswer, 404: errorAnswer }
      }
    },
    (request, reply) => {
      const claims = sources.claims(request.params.id.toLowerCase(), request.query.span_id)
      return claims === undefined ? reply.code(404).send({ error: 'no such span is kept' }) : reply.send(claims)
    }
  )
}
