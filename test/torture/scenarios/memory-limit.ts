import { type Exposition } from '../../builders/prometheus-text.ts'
import { defineScenario } from '../scenario.ts'
import { sendOpenLoop } from '../senders/open-loop.ts'

const LIMIT_MIB = 320
const SPANS_PER_BODY = 1_000
const SENDERS = 8
const FOR_MS = 20_000

interface Facts {
  readonly refused: number
  readonly last: Exposition
}

const refusedFor = (exposition: Exposition, reasons: readonly string[]): number =>
  reasons.reduce((sum, reason) => sum + exposition.sum('tail_requests_refused_total', { reason }), 0)
const closedEarly = (exposition: Exposition): number => exposition.sum('tail_traces_closed_total', { reason: 'memory' })

export const scenario = defineScenario<Facts>({
  name: 'memory limit',
  thrown: `with memory_limit ${LIMIT_MIB}MiB and a heap that V8 does not limit, ${SENDERS} senders without a pause, whose traces stay open for longer than there is room for`,
  // To fill so much takes hundreds of thousands of spans, and as long to count them.
  longOnly: true,
  settings: { memory_limit: `${LIMIT_MIB}MiB`, assemble: { quiet_time: '10s' } },
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
    `${refused} bodies told to come back (${refusedFor(last, ['memory', 'resident'])} for memory, ${refusedFor(last, ['busy', 'event_loop'])} for work), ${closedEarly(last)} traces closed early`,
  judge({ last }, tally) {
    const bitten = closedEarly(last) + refusedFor(last, ['memory', 'resident'])
    tally.check('the limit was met', bitten > 0, 'nothing was refused or closed for memory')
  }
})
