import { pause, scrapeUntil } from '../builders/live-service.ts'
import { type Exposition } from '../builders/prometheus-text.ts'
import { inspect, INSPECTED } from './inspector.ts'
import { type Account } from './ledger.ts'
import { type Bed, defineScenario, type Scenario } from './scenario.ts'
import { postNoting } from './senders/noting.ts'
import { createTemplate } from './senders/template-body.ts'

const SPANS_PER_BODY = 50
const EVERY_MS = 10
const RESTARTS = 'tail_shard_restarts_total'
const LOST = 'tail_shard_lost_spans_total'
/** Of load between one end and the next; with a log a shard takes nothing before it has read that. */
const LOAD_MS = { off: 500, batch: 2_500 } as const
/** After the last end, traces go to all threads again. */
const AFTER_BODIES = 10

/**
 * Each ends the thread that it runs in. A heap that is full is not among them: whether it ends the thread or the process is up
 * to what V8 was doing when it met the limit.
 */
const endings = {
  'an error that nobody catches': `setImmediate(() => { throw new Error('thrown at a shard') })`,
  'its exit': `process.exit(1)`
}
const kinds = Object.keys(endings) as (keyof typeof endings)[]

interface Facts {
  readonly ends: number
  readonly after: Account
  readonly last: Exposition
}

export const deadShard = (name: string, durability: 'off' | 'batch'): Scenario =>
  defineScenario<Facts>({
    name,
    thrown: `with two workers and durability: ${durability} under load, the thread of one after the other ends: by ${kinds.join(' or ')}`,
    settings: { workers: 2, durability, segment_log: { directory: durability === 'off' ? '' : '{folder}/log' } },
    start: { nodeArguments: INSPECTED },
    // What dies with a thread is lost without a log, and must be counted as that.
    limits: { countedTogether: ({ sum }) => sum('tail_requests_total') + sum(LOST) },
    async run(bed) {
      const account = bed.ledger.account('load')
      const after = bed.ledger.account('after')
      const inspector = await inspect(bed.service.output())
      bed.defer(inspector.close)
      const ends = bed.pick(2, 10)
      const load = startLoad(bed, account)
      for (let end = 0; end < ends; end++) {
        await pause(LOAD_MS[durability])
        await inspector.inOldestShard(endings[kinds[end % kinds.length] as keyof typeof endings])
        await scrapeUntil(bed.service, ({ sum }) => sum(RESTARTS) > end, { everyMs: 50 })
      }
      await load.stop()
      const more = createTemplate(after.service, SPANS_PER_BODY)
      while (after.bodies.acknowledged < AFTER_BODIES) {
        await postNoting(bed.service.http, more(), { account: after, requests: SPANS_PER_BODY })
        await pause(EVERY_MS)
      }
      await bed.settled()
      // What nobody answered may be counted too, and makes the sum look whole before the last traces are.
      const last = await scrapeUntil(bed.service, (now) => requestsOf(now, after) >= after.requests.acknowledged)
      return { ends, after, last }
    },
    happened: ({ ends, last }) =>
      `${ends} threads ended, ${last.sum(RESTARTS)} restarts; ${last.sum(LOST)} spans lost and counted, ${last.sum('tail_requests_total')} requests counted`,
    judge({ ends, after, last }, tally) {
      tally.equal('restarts', last.sum(RESTARTS), ends)
      for (const shard of ['1', '2']) {
        tally.check(`shard ${shard} ended too`, last.sum(RESTARTS, { shard }) > 0, 'it never did')
      }
      if (durability === 'off') tally.check('something was lost, and counted', last.sum(LOST) > 0, `${LOST} is 0`)
      else tally.equal('spans lost, that the log has', last.sum(LOST), 0)
      tally.equal('later traffic', requestsOf(last, after), after.requests.acknowledged)
    }
  })

const requestsOf = (exposition: Exposition, { service }: Account): number =>
  exposition.sum('tail_requests_total', { service_name: service })

interface Load {
  /** Ends once the body under way has its answer. */
  readonly stop: () => Promise<void>
}

function startLoad(bed: Bed, account: Account): Load {
  const next = createTemplate(account.service, SPANS_PER_BODY)
  const state = { sending: true }
  const done = (async () => {
    while (state.sending) {
      await postNoting(bed.service.http, next(), { account, requests: SPANS_PER_BODY })
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
