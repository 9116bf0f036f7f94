import { createRedaction } from '../src/accept/redaction/index.ts'
import { redactionSection, redactionSettings } from '../src/accept/redaction/settings.ts'
import { createLoad } from '../test/builders/load.ts'
import { LOAD_SEED } from './load-client.ts'
import { digits, markdownTable, median } from './table.ts'

const RUNS = 5
const WARM_UP_BODIES = 30
const BODIES = 40

const load = createLoad({ format: 'protobuf', operations: 200, seed: LOAD_SEED, startMs: 0 })
const body = Uint8Array.from(load.body(0, 0))
const spans = load.spans / load.bodies

/** CPU microseconds a span. */
function measure(rule: object): number {
  const redaction = createRedaction(redactionSettings(redactionSection.parse({ rules: [rule] })))
  const redact = (times: number): void => {
    for (let i = 0; i < times; i++) redaction?.redact('traces', body, 'protobuf')
  }
  redact(WARM_UP_BODIES)
  return median(
    Array.from({ length: RUNS }, () => {
      const before = process.cpuUsage()
      redact(BODIES)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / BODIES / spans
    })
  )
}

const rows = [
  ['a key that is not there', { keys: ['user.email'], action: 'delete' }],
  ['a pattern over all texts that is not there', { values: '\\b[0-9]{16}\\b', action: 'mask' }],
  ['http.* of every span masked', { keys: ['http.*'], action: 'mask' }]
] as const
console.log(
  markdownTable(
    ['rule', 'CPU µs a span'],
    rows.map(([name, rule]) => [name, digits(measure(rule))])
  )
)
