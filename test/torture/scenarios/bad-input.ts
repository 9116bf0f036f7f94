import { inspect } from 'node:util'
import { type Exposition } from '../../builders/prometheus-text.ts'
import {
  type Case,
  cases,
  FLOOD_OPERATIONS,
  FLOOD_SERVICE,
  HOSTILE_SERVICE,
  hostileNames,
  TIMEOUT_MS
} from '../bad-input/cases.ts'
import { HONEST_OPERATIONS, HONEST_SERVICE } from '../honest.ts'
import { operationsIn } from '../ledger.ts'
import { type Bed, defineScenario } from '../scenario.ts'

const OPERATIONS_MAX = 500

export const scenario = defineScenario<Exposition>({
  name: 'bad input',
  thrown:
    'gzip bombs of 10 GB, lengths that lie, broken protobuf, JSON and gRPC, spans that cannot be, hostile names, a flood of operations',
  settings: {
    accept: { headers_timeout: `${TIMEOUT_MS}ms`, body_timeout: `${TIMEOUT_MS}ms` },
    explain: { operations_max: OPERATIONS_MAX }
  },
  async run(bed) {
    for (const item of cases) await runCase(item, bed)
    return bed.settled()
  },
  happened: (counted) =>
    `${counted.sum('tail_requests_refused_total')} requests refused, ${counted.sum('tail_spans_rejected_total')} spans refused, ${operationsIn(counted).size} rows`,
  judge(counted, tally) {
    const requests = (labels: Record<string, string>): number => counted.sum('tail_requests_total', labels)
    tally.equal('the honest service keeps its rows', operationsIn(counted, HONEST_SERVICE).size, HONEST_OPERATIONS)
    tally.equal('no two hostile names share a series', operationsIn(counted, HOSTILE_SERVICE).size, hostileNames.length)
    tally.equal('hostile names are counted exactly', requests({ service_name: HOSTILE_SERVICE }), hostileNames.length)
    const flooded = requests({ service_name: FLOOD_SERVICE }) + requests({ operation: '__other__' })
    tally.check('the flood is counted, in rows or as others', flooded >= FLOOD_OPERATIONS, `${flooded} requests`)
    for (const name of ['tail_series_overflow_total', 'tail_requests_refused_total', 'tail_spans_rejected_total']) {
      tally.check(`${name} counts`, counted.sum(name) > 0, 'it is 0')
    }
    const rows = operationsIn(counted).size
    tally.check('rows are capped', rows <= OPERATIONS_MAX + 1, `${rows} rows`)
  }
})

async function runCase({ name, run }: Case, { service, tally }: Bed): Promise<void> {
  console.log(`    - ${name}`)
  try {
    await run(service, tally)
  } catch (error) {
    tally.fail(name, inspect(error))
  }
}
