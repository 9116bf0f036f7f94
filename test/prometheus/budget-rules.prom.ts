import { minutesOf, operationSeries, type Minute } from './operation-series.ts'
import { testWith } from './prometheus.ts'
import { expectRules, tailspanIsUp, type Firing, type Series } from './rule-case.ts'

const rulesTest = testWith('promtool')

const HOUR = 60
const DAY = 24 * HOUR
const buy = { service: 'gateway', operation: 'GET /buy', budget: { name: 'p99', seconds: 0.1, allowed: 0.01 } }
const self = { service_name: 'gateway', operation: 'GET /buy', budget: 'p99' }
const healthy: Minute = { fast: 600, slow: 0 }
const aDay = minutesOf(DAY + HOUR, healthy)
const broken: Minute = { fast: 240, slow: 360 }

function expectAlerts(minutes: readonly Minute[], series: Series[], fires: Record<string, readonly Firing[]>): void {
  expectRules({
    series: [tailspanIsUp(minutes.length), ...series],
    minute: minutes.length,
    every: minutes.length > 6 * HOUR ? 20 : 5,
    fires
  })
}

const fast = (inShort: string, description: readonly string[], labels: Record<string, string> = self): Firing => ({
  labels: { severity: 'critical', ...labels },
  summary: `gateway ${labels['operation'] ?? ''} is far over its budget ${labels['budget'] ?? ''}: ${inShort}.`,
  description
})

const steady = (inShort: string, description: readonly string[]): Firing => ({
  labels: { severity: 'warning', ...self },
  summary: `gateway GET /buy keeps going over its budget p99: ${inShort}.`,
  description
})

/** Slow requests wait for the queue of a callee. `slowest` is how many requests are above p99. */
const behindTheQueue = (normal: string, slowest: string): string[] => [
  `The slow ones took 210ms on average; normal is 10ms, the mean ${normal}.`,
  'What has grown most is their downstream: 100% of the time above normal, 200ms a request.',
  `Culprit: queue_wait in inventory POST /reserve, 100% of the time above normal in the slowest ${slowest}.`
]

rulesTest('a fast burn pages, and says how many, how slow, what is normal, which phase and who', () => {
  const minutes = [...aDay, ...minutesOf(20, broken)]
  expectAlerts(minutes, operationSeries({ ...buy, minutes }), {
    TailBudgetBurnFast: [
      fast('20% of its requests took longer than 100ms', [
        'In the last hour 20% of its 36000 requests took longer than 100ms; only 1% may. In the last 6 hours it was 3.333%.',
        'The slow ones took 210ms on average; normal is 10ms, the mean one day ago.',
        'What has grown most is their downstream: 100% of the time above normal, 200ms a request.',
        'Culprit: queue_wait in inventory POST /reserve, 100% of the time above normal in the slowest 20% of its requests (7200 in the last hour).'
      ])
    ]
  })
})

rulesTest('without a yesterday, normal is an hour ago, and days are as long as there is anything to see', () => {
  const minutes = [...minutesOf(2 * HOUR, healthy), ...minutesOf(20, broken)]
  expectAlerts(minutes, operationSeries({ ...buy, minutes }), {
    TailBudgetBurnFast: [
      fast('20% of its requests took longer than 100ms', [
        'In the last hour 20% of its 36000 requests took longer than 100ms; only 1% may. In the last 6 hours it was 8.571%.',
        ...behindTheQueue('one hour ago', '20% of its requests (7200 in the last hour)')
      ])
    ],
    TailBudgetBurnSlow: [
      steady('8.571% of its requests took longer than 100ms', [
        'In the last day 8.571% of its 84000 requests took longer than 100ms; only 1% may. In the last 3 days it was 8.571%.',
        ...behindTheQueue('one hour ago', '8.571% of its requests (7200 in the last day)')
      ])
    ]
  })
})

rulesTest('nobody is paged for a burn that is over, or that is as fast as the budget allows', () => {
  const over = [...aDay, ...minutesOf(20, broken), ...minutesOf(20, healthy)]
  expectAlerts(over, operationSeries({ ...buy, minutes: over }), {})
  const allowed = minutesOf(2 * HOUR, { fast: 594, slow: 6 })
  expectAlerts(allowed, operationSeries({ ...buy, minutes: allowed }), {})
})

rulesTest('two replicas are one operation: their requests add up, and their settings do not', () => {
  // Alone, the first would be well below the factor and the second far above it.
  const first = [...aDay, ...minutesOf(20, healthy)]
  const second = [...aDay, ...minutesOf(20, broken)]
  const series = [
    ...operationSeries({ ...buy, instance: 'a:9464', minutes: first }),
    ...operationSeries({ ...buy, instance: 'b:9464', minutes: second })
  ]
  expectAlerts(second, series, {})
  const worse = [...aDay, ...minutesOf(20, { fast: 0, slow: 600 })]
  const both = [
    ...operationSeries({ ...buy, instance: 'a:9464', minutes: first }),
    ...operationSeries({ ...buy, instance: 'b:9464', minutes: worse })
  ]
  expectAlerts(worse, both, {
    TailBudgetBurnFast: [
      fast('16.67% of its requests took longer than 100ms', [
        'In the last hour 16.67% of its 72000 requests took longer than 100ms; only 1% may. In the last 6 hours it was 2.778%.',
        ...behindTheQueue('one day ago', '16.67% of its requests (12000 in the last hour)')
      ])
    ]
  })
})

rulesTest('a restart takes nothing away and adds nothing', () => {
  const calm = minutesOf(2 * HOUR, { fast: 597, slow: 3 })
  expectAlerts(calm, operationSeries({ ...buy, minutes: calm, restarts: [70, 110] }), {})
  const minutes = [...aDay, ...minutesOf(20, { ...broken, wait: 'own gc' })]
  expectAlerts(minutes, operationSeries({ ...buy, minutes, restarts: [DAY, DAY + 70] }), {
    TailBudgetBurnFast: [
      fast('20% of its requests took longer than 100ms', [
        'In the last hour 20% of its 36000 requests took longer than 100ms; only 1% may. In the last 6 hours it was 3.333%.',
        'The slow ones took 210ms on average; normal is 10ms, the mean one day ago.',
        'What has grown most is their gc: 100% of the time above normal, 200ms a request.',
        'Culprit: gc in gateway GET /buy, 100% of the time above normal in the slowest 20% of its requests (7200 in the last hour).'
      ])
    ]
  })
})

rulesTest('one slow request of few pages nobody, and many slow ones of few make a ticket', () => {
  // One request every fifth minute: 12 an hour, all of them slow for an hour.
  const trickle = (slowShare: number): Minute[] =>
    Array.from({ length: 7 * HOUR }, (_, minute) => {
      const comes = minute % 5 === 0 ? 1 : 0
      return minute >= 4 * HOUR && slowShare > 0 ? { fast: 0, slow: comes } : { fast: comes, slow: 0 }
    })
  const allFast = trickle(0).map((minute, at) => (at === 300 ? { fast: 0, slow: 1 } : minute))
  expectAlerts(allFast, operationSeries({ ...buy, minutes: allFast }), {})
  const minutes = trickle(1)
  expectAlerts(minutes, operationSeries({ ...buy, minutes }), {
    TailBudgetLowTraffic: [
      {
        labels: { severity: 'warning', ...self },
        summary:
          'gateway GET /buy has few requests, and too many of them are over its budget p99: 50% of its requests took longer than 100ms.',
        description: [
          'In the last 6 hours 50% of its 72 requests took longer than 100ms; only 1% may.',
          'The slow ones took 210ms on average; what is normal is not known.',
          'What has grown most is their downstream: 96.19% of the time above normal, 202ms a request.',
          'Culprit: queue_wait in inventory POST /reserve, 96.19% of the time above normal in the slowest 42.86% of its requests (36 in the last day).'
        ]
      }
    ]
  })
})

rulesTest('a loose budget can burn too: half of the requests are enough for a p95; what is not known is said', () => {
  const loose = { ...buy, budget: { name: 'p95', seconds: 0.1, allowed: 0.05 } }
  const minutes = [...aDay, ...minutesOf(HOUR, { fast: 282, slow: 318 })]
  const sampling: Series = {
    name: 'tail_sampling_info',
    labels: { service_name: 'gateway', sampling: 'unknown' },
    values: Array<number>(minutes.length + 1).fill(1)
  }
  expectAlerts(minutes, [sampling, ...operationSeries({ ...loose, minutes })], {
    TailBudgetBurnFast: [
      fast(
        '53% of its requests took longer than 100ms',
        [
          'In the last hour 53% of its 36000 requests took longer than 100ms; only 5% may. In the last 6 hours it was 8.833%.',
          ...behindTheQueue('one day ago', '53% of its requests (19080 in the last hour)'),
          'How the traces of gateway are sampled is not known: shares of requests may be off.'
        ],
        { ...self, budget: 'p95' }
      )
    ]
  })
})

rulesTest('a slow burn makes a ticket', () => {
  const minutes = minutesOf(DAY + HOUR, { fast: 576, slow: 24 })
  expectAlerts(minutes, operationSeries({ ...buy, minutes }), {
    TailBudgetBurnSlow: [
      steady('4% of its requests took longer than 100ms', [
        'In the last day 4% of its 864000 requests took longer than 100ms; only 1% may. In the last 3 days it was 4%.',
        ...behindTheQueue('one day ago', '4% of its requests (34560 in the last day)')
      ])
    ]
  })
})

rulesTest('a budget of one phase says so, and names stay names', () => {
  const operation = 'GET /"a",b="\\{{ . }}&x=1'
  const hostile = { ...buy, operation, budget: { name: 'p99:queue_wait', seconds: 0.02, allowed: 0.01 } }
  const minutes = [...aDay, ...minutesOf(20, broken)]
  expectAlerts(minutes, operationSeries({ ...hostile, minutes }), {
    TailBudgetBurnFast: [
      fast(
        '20% of its requests spent more than 20ms in queue_wait',
        [
          'In the last hour 20% of its 36000 requests spent more than 20ms in queue_wait; only 1% may. In the last 6 hours it was 3.333%.',
          ...behindTheQueue('one day ago', '20% of its requests (7200 in the last hour)')
        ],
        { ...self, operation, budget: 'p99:queue_wait' }
      )
    ]
  })
})
