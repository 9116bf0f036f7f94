import { type Exposition } from '../../builders/prometheus-text.ts'
import { defineScenario } from '../scenario.ts'
import { type OpenLoopFacts, sendOpenLoop } from '../senders/open-loop.ts'

const MIB = 1024 ** 2
const MEMORY_MIB = 512
const CPUS = 0.5
const TIMES = 10
const SPANS_PER_BODY = 1_000
/** So many that they do not wait for one another: what is due beyond them is not sent. */
const SENDERS = 3_000

interface Facts {
  readonly confined: boolean
  readonly capacity: number
  readonly offered: number
  readonly storm: OpenLoopFacts
  readonly last: Exposition
}

function reasonsOf({ samples }: Exposition): string {
  return samples
    .filter(({ name, value }) => name === 'tail_requests_refused_total' && value > 0)
    .map(({ labels, value }) => `${labels['reason'] ?? ''} ${value}`)
    .join(', ')
}

export const scenario = defineScenario<Facts>({
  name: 'ten times capacity',
  thrown: `open-loop senders of ${TIMES} times what the service takes from senders that wait; the service in a control group of ${MEMORY_MIB} MiB and ${CPUS} of a core, where one can be made`,
  start: { cgroup: { memoryBytes: MEMORY_MIB * MIB, cpus: CPUS }, nodeArguments: ['--max-old-space-size=192'] },
  limits: { residentMibMax: MEMORY_MIB, metricsFailedShareMax: 0.02 },
  async run(bed) {
    const { ledger, service, confined } = bed
    const plan = { address: service.http, service: 'storm', spansPerBody: SPANS_PER_BODY, senders: SENDERS }
    const account = ledger.account(plan.service)
    const waiting = { ...plan, senders: 4, bodiesPerSecond: Infinity }
    // What the compiler has not seen yet is no capacity.
    await sendOpenLoop({ ...waiting, forMs: bed.pick(4_000, 15_000) }, account)
    const calm = await sendOpenLoop({ ...waiting, forMs: bed.pick(2_000, 5_000) }, account)
    const capacity = (calm.bodies.acknowledged / calm.tookMs) * 1_000
    const forMs = bed.lasting(5_000, 120_000)
    const storm = await sendOpenLoop({ ...plan, bodiesPerSecond: TIMES * capacity, forMs }, account)
    const { acknowledged, retryable, refused, unanswered } = storm.bodies
    // Answers to the last of them come later than that.
    const offered = ((acknowledged + retryable + refused + unanswered) / forMs) * 1_000
    return { confined, capacity, offered, storm, last: await bed.settled() }
  },
  happened: ({ confined, capacity, offered, storm, last }) =>
    [
      confined ? 'confined' : 'no control group could be made',
      `capacity ${Math.round(capacity * SPANS_PER_BODY)} spans/s, offered ${(offered / capacity).toFixed(1)} times that until the last was answered or given up after ${Math.round(storm.tookMs / 1000)} s`,
      `${storm.bodies.acknowledged} bodies taken, ${storm.bodies.retryable} told to come back (${reasonsOf(last)}), ${storm.bodies.unanswered} without an answer, ${storm.unsent} never sent as ${SENDERS} were waiting`
    ].join(', '),
  judge({ confined, capacity, offered, storm }, tally) {
    tally.check('some are taken all the time', storm.bodies.acknowledged > 0, 'none')
    tally.check('senders were told to come back', storm.bodies.retryable > 0, 'none was')
    if (confined) {
      const times = offered / capacity
      tally.check('it was an overload', times > 3, `only ${times.toFixed(1)} times the capacity could be offered`)
    }
  }
})
