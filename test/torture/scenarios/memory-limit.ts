import { type Exposition } from '../../builders/prometheus-text.ts'
import { defineScenario } from '../scenario.ts'
import { sendOpenLoop } from '../senders/open-loop.ts'

const LIMIT_MIB = 320
const SPANS_PER_BODY = 1_000
const SENDERS = 8
const FOR_MS = 10_000
/**
 * Chosen by somebody, so that the start does not make them smaller to fit: tables alone would close traces early, and nobody
 * would have to be refused.
 */
const TOO_LARGE = { spans_max: 5_000_000, traces_max: 5_000_000, quiet_time: '2s' }

interface Facts {
  readonly refused: number
  readonly last: Exposition
}

const refusedFor = (exposition: Exposition, reasons: readonly string[]): number =>
  reasons.reduce((sum, reason) => sum + exposition.sum('tail_requests_refused_total', { reason }), 0)

export const scenario = defineScenario<Facts>({
  name: 'memory limit',
  thrown: `with memory_limit ${LIMIT_MIB}MiB, ${SENDERS} senders without a pause, and tables that somebody set to more than fits`,
  // To fill so much takes hundreds of thousands of spans, and as long to count them.
  longOnly: true,
  settings: { memory_limit: `${LIMIT_MIB}MiB`, assemble: TOO_LARGE },
  // As the service advises when it starts.
  start: { nodeArguments: [`--max-old-space-size=${LIMIT_MIB / 2}`] },
  limits: { residentMibMax: LIMIT_MIB },
  async run(bed) {
    const account = bed.ledger.account('storm')
    await sendOpenLoop(
      {
        address: bed.service.http,
        service: account.service,
        spansPerBody: SPANS_PER_BODY,
        bodiesPerSecond: Infinity,
        senders: SENDERS,
        forMs: FOR_MS
      },
      account
    )
    return { refused: account.bodies.retryable, last: await bed.settled() }
  },
  happened: ({ refused, last }) =>
    `${refused} bodies told to come back (${refusedFor(last, ['memory', 'resident'])} for memory, ${refusedFor(last, ['busy', 'event_loop'])} for work), ${last.sum('tail_traces_closed_total', { reason: 'memory' })} traces closed early`,
  judge({ refused, last }, tally) {
    tally.check('senders were told to come back', refused > 0, 'none was')
    tally.check('for memory', refusedFor(last, ['memory', 'resident']) > 0, 'for nothing but work')
  }
})
