import { type FastifyInstance } from 'fastify'
import {
  claimsAnswer,
  errorAnswer,
  linksAnswer,
  overviewAnswer,
  traceIdParams,
  waterfallAnswer
} from './api-schemas.ts'
import { createOverview } from './overview.ts'
import { sendCached } from './page-files.ts'
import { type SendText } from './send-text.ts'
import { type ExposeSettings } from './settings.ts'
import { type ExposeSources } from './sources.ts'

const NOT_KEPT = 'no such trace is kept'
/** Longer than any name that is kept. */
const FILTER_CHARS_MAX = 1_024

/** What the page asks beyond the API: the same answers, shorter. */
export function addPageApi(
  app: FastifyInstance,
  settings: ExposeSettings,
  sources: ExposeSources,
  { nowMs, sendText }: { readonly nowMs: () => number; readonly sendText: SendText }
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

  app.get(
    '/api/v1/links',
    { schema: { summary: 'Where the page can send its reader', response: { 200: linksAnswer } } },
    (_request, reply) => reply.send({ prometheus: settings.prometheusUrl || null })
  )

  app.get<{ Params: { id: string } }>(
    '/api/v1/traces/:id/waterfall',
    {
      schema: {
        summary: 'One kept trace to draw, in columns',
        params: traceIdParams,
        response: { 200: waterfallAnswer, 400: errorAnswer, 404: errorAnswer, 503: errorAnswer }
      }
    },
    (request, reply) => {
      const id = request.params.id.toLowerCase()
      return sendText(reply, () => sources.waterfall(id, settings.waterfallSpansMax), NOT_KEPT)
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
        response: { 200: claimsAnswer, 400: errorAnswer, 404: errorAnswer, 503: errorAnswer }
      }
    },
    (request, reply) => {
      const id = request.params.id.toLowerCase()
      return sendText(reply, () => sources.claims(id, request.query.span_id), 'no such span is kept')
    }
  )
}
