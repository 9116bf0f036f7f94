import { pause } from '../builders/live-service.ts'
import { type Bed } from './scenario.ts'
import { type Account } from './ledger.ts'
import { spanBytes, traceBody } from './senders/bodies.ts'
import { postNoting } from './senders/noting.ts'

export const HONEST_SERVICE = 'honest'
export const HONEST_OPERATIONS = 5
const EVERY_MS = 50

const body = (): Buffer =>
  traceBody(
    HONEST_SERVICE,
    Array.from({ length: HONEST_OPERATIONS }, (_, operation) =>
      spanBytes({ name: `good ${'abcde'.charAt(operation)}` })
    )
  )

export interface HonestSender {
  /** Ends once the body under way has its answer. */
  readonly stop: () => Promise<void>
}

/** A few requests, again and again, beside whatever a scenario does. */
export function startHonestSender(bed: Bed): HonestSender {
  const account = bed.ledger.account(HONEST_SERVICE)
  const state = { sending: true }
  const done = (async () => {
    while (state.sending) {
      await sendHonest(bed, account)
      await pause(EVERY_MS)
    }
  })()
  return {
    async stop() {
      state.sending = false
      await done
    }
  }
}

/** Whether one honest body is taken now. */
export async function sendHonest(bed: Bed, account: Account = bed.ledger.account(HONEST_SERVICE)): Promise<boolean> {
  const outcome = await postNoting(bed.service.http, body(), { account, requests: HONEST_OPERATIONS })
  return outcome === 'acknowledged'
}
