import { Agent, request } from 'node:http'
import { type Account, type Outcome } from '../ledger.ts'
import { PROTOBUF } from './single.ts'

const ANSWER_MS_MAX = 30_000
const agent = new Agent({ keepAlive: true })

export interface Noted {
  readonly account: Account
  /** Requests (root spans) in the body. */
  readonly requests: number
  readonly headers?: Readonly<Record<string, string>>
}

/** Sends one body over HTTP, enters what was said of it in the books, and gives it back. Never throws. */
export async function postNoting(address: string, body: Uint8Array, noted: Noted): Promise<Outcome> {
  const outcome = await outcomeOf(address, body, noted.headers ?? {})
  noted.account.note(outcome, noted.requests)
  return outcome
}

function outcomeOf(address: string, body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<Outcome> {
  const [host = '', port = ''] = address.split(':')
  return new Promise((resolve) => {
    const post = request(
      {
        host,
        port,
        agent,
        method: 'POST',
        path: '/v1/traces',
        timeout: ANSWER_MS_MAX,
        headers: { 'content-type': PROTOBUF, 'content-length': body.length, ...headers }
      },
      (answer) => {
        answer.resume()
        const outcome = outcomeOfStatus(answer.statusCode ?? 0, answer.headers['retry-after'])
        answer.on('end', () => {
          resolve(outcome)
        })
        answer.on('error', () => {
          resolve('unanswered')
        })
      }
    )
    post.on('timeout', () => post.destroy())
    post.on('error', () => {
      resolve('unanswered')
    })
    post.end(body)
  })
}

/** As OTLP says: these four are to be tried again; of ours, 429 and 503 must also say when. */
export function outcomeOfStatus(status: number, retryAfter: string | undefined): Outcome {
  if (status >= 200 && status < 300) return 'acknowledged'
  if (status === 429 || status === 503) return retryAfter === undefined ? 'refused' : 'retryable'
  return status === 502 || status === 504 ? 'retryable' : 'refused'
}
