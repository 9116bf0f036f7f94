import { letters } from '../../builders/load-plan.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { operationsIn } from '../ledger.ts'
import { defineScenario } from '../scenario.ts'
import { attribute, manyServicesBody, spanBytes, traceBody } from '../senders/bodies.ts'
import { postNoting } from '../senders/noting.ts'

const OPERATIONS_MAX = 500
const SERVICES_PER_BODY = 2_000
const KEYS_PER_BODY = 2_000

export const scenario = defineScenario<Exposition>({
  name: 'cardinality bomb',
  thrown: 'new services, operations and attribute keys in every span, of every value a new one',
  settings: { explain: { operations_max: OPERATIONS_MAX } },
  // Every request is a trace of its own.
  limits: { countedTogether: ({ sum }) => sum('tail_traces_closed_total') },
  async run(bed) {
    const services = bed.ledger.account('bomb of services')
    const keys = bed.ledger.account('bomb of keys')
    for (let turn = 0; turn < bed.pick(10, 200); turn++) {
      const names = Array.from(
        { length: SERVICES_PER_BODY },
        (_, i) => `service-${letters(turn * SERVICES_PER_BODY + i)}`
      )
      await postNoting(bed.service.http, manyServicesBody(names), { account: services, requests: names.length })
      const spans = Array.from({ length: KEYS_PER_BODY }, (_, i) => {
        const text = letters(turn * KEYS_PER_BODY + i)
        return spanBytes({ name: `GET /${text}`, more: attribute(9, `key.${text}`, `value ${text}`) })
      })
      await postNoting(bed.service.http, traceBody(keys.service, spans), { account: keys, requests: spans.length })
    }
    return bed.settled()
  },
  happened: (last) =>
    `${operationsIn(last).size} rows, ${last.sum('tail_series_overflow_total')} requests without a row of their own`,
  judge(last, tally) {
    tally.check('rows are capped', operationsIn(last).size <= OPERATIONS_MAX + 1, `${operationsIn(last).size} rows`)
    tally.check(
      'the overflow is counted',
      last.sum('tail_series_overflow_total') > 0,
      'tail_series_overflow_total is 0'
    )
  }
})
