import { type FastifyReply } from 'fastify'
import { type Turn } from './slice-stream.ts'
import { createTextMaker, type TextSlices } from './text-slices.ts'

/** Answers with a JSON text that is made in slices; 404 when there is none, 503 when too many wait for theirs. */
export type SendText = (reply: FastifyReply, slices: () => TextSlices, missing: string) => Promise<FastifyReply>

export function createTextSender(turn: Turn): SendText {
  const make = createTextMaker(turn)
  return async (reply, slices, missing) => {
    const text = await make(slices)
    if (text === undefined) return reply.code(404).send({ error: missing })
    if (text === 'busy') {
      return reply.code(503).header('retry-after', '1').send({ error: 'too many traces are asked for at once' })
    }
    return reply.type('application/json; charset=utf-8').send(text)
  }
}
