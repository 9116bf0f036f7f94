import { Agent as HttpAgent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { type Socket } from 'node:net'
import { urlToHttpOptions } from 'node:url'
import { Fault } from '../../runtime/fault.ts'
import { type DestinationSettings } from '../settings.ts'
import { type Answer, httpAnswer, later } from './answer.ts'
import { type Client } from './destination.ts'
import { type ReadHeaders } from './headers.ts'
import { type ReadTls } from './tls.ts'

/** More of an answer is not read. */
export const ANSWER_BYTES_MAX = 64 * 1024
const DEFAULT_PATH = '/v1/traces'

export interface ClientTools {
  readonly headers: ReadHeaders
  readonly tls: ReadTls
  readonly nowMs: () => number
}

/** OTLP over HTTP/1.1 with protobuf. */
export function createHttpClient(
  { endpoint, timeoutMs, concurrency }: DestinationSettings,
  { headers, tls, nowMs }: ClientTools
): Client {
  const url = new URL(endpoint)
  if (url.pathname === '/') url.pathname = DEFAULT_PATH
  const isSecure = url.protocol === 'https:'
  const options = { keepAlive: true, maxSockets: concurrency }
  let secrets = tls()
  let agent = createAgent()
  const request = isSecure ? httpsRequest : httpRequest
  const target = urlToHttpOptions(url)

  function createAgent(): HttpAgent {
    return isSecure ? new HttpsAgent({ ...options, ...secrets }) : new HttpAgent(options)
  }

  /** New files mean new connections; requests under way end on theirs. */
  function currentAgent(): HttpAgent {
    const now = tls()
    if (now === secrets) return agent
    secrets = now
    for (const idle of Object.values(agent.freeSockets).flat()) idle?.destroy()
    agent.on('free', (socket: Socket) => socket.destroy())
    agent = createAgent()
    return agent
  }

  function send(body: Buffer, gzipped: boolean): Promise<Answer> {
    return new Promise((resolve) => {
      const outgoing = request({
        ...target,
        agent: currentAgent(),
        method: 'POST',
        headers: {
          ...headers(),
          'content-type': 'application/x-protobuf',
          'content-length': body.length,
          ...(gzipped && { 'content-encoding': 'gzip' })
        }
      })
      // Not a signal's timeout: that goes on after the answer, and makes its error then.
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        outgoing.destroy()
      }, timeoutMs).unref()
      const settle = (answer: Answer): void => {
        clearTimeout(timer)
        resolve(answer)
      }
      const fail = (reason: Error): void => {
        settle(later(isLate ? `no answer within ${timeoutMs} ms` : Fault.from(reason).message))
      }
      outgoing.on('error', fail)
      outgoing.on('response', (response) => {
        response.on('error', fail)
        readAnswer(response, (answer) => {
          // Who answers before the end may still be reading: the body must not change under them.
          whenWritten(outgoing, () => {
            settle(httpAnswer({ ...headOf(response), body: answer }, nowMs()))
          })
        })
      })
      outgoing.end(body)
    })
  }

  return {
    send,
    close() {
      agent.destroy()
    }
  }
}

function whenWritten(outgoing: ClientRequest, done: () => void): void {
  if (outgoing.writableFinished || outgoing.destroyed) done()
  else outgoing.once('finish', done)
}

function headOf({ statusCode = 0, headers }: IncomingMessage): {
  status: number
  retryAfter: string | undefined
  isProtobuf: boolean
} {
  return {
    status: statusCode,
    retryAfter: headers['retry-after'],
    isProtobuf: /^application\/x-protobuf\b/i.test(headers['content-type'] ?? '')
  }
}

function readAnswer(response: IncomingMessage, done: (body: Buffer) => void): void {
  const pieces: Buffer[] = []
  let bytes = 0
  response.on('data', (piece: Buffer) => {
    bytes += piece.length
    if (bytes <= ANSWER_BYTES_MAX) {
      pieces.push(piece)
      return
    }
    done(Buffer.alloc(0))
    response.destroy()
  })
  response.on('end', () => {
    done(Buffer.concat(pieces))
  })
}
