import { Worker } from 'node:worker_threads'
import { type Account, type Outcome } from '../ledger.ts'

/** Senders that send when it is time, whether or not the last was answered: what real ones do together. */
export interface OpenLoopPlan {
  readonly address: string
  readonly service: string
  readonly spansPerBody: number
  /** Bodies a second over all senders; Infinity = the next when the last was answered, by `senders` of them. */
  readonly bodiesPerSecond: number
  /** Bodies that may wait for their answer at once; beyond it one is dropped unsent, and told. */
  readonly senders: number
  readonly forMs: number
}

export interface OpenLoopFacts {
  readonly bodies: Readonly<Record<Outcome, number>>
  /** Due, but as many as allowed were waiting. */
  readonly unsent: number
  readonly tookMs: number
}

/** Sends from a thread of its own and enters what was said in the books: each span of a body is a request. */
export function sendOpenLoop(plan: OpenLoopPlan, account: Account): Promise<OpenLoopFacts> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('open-loop-thread.ts', import.meta.url), { workerData: plan })
    thread.once('error', reject)
    thread.once('message', (facts: OpenLoopFacts) => {
      for (const [outcome, bodies] of Object.entries(facts.bodies) as [Outcome, number][]) {
        account.requests[outcome] += bodies * plan.spansPerBody
        account.bodies[outcome] += bodies
      }
      resolve(facts)
    })
  })
}
