import { minutesOf, operationSeries, type Minute, type OperationHistory } from './operation-series.ts'
import { testWith } from './prometheus.ts'
import { expectRules, tailspanIsUp, type Firing, type Series } from './rule-case.ts'

const rulesTest = testWith('promtool')

const HOUR = 60
const DAY = 24 * HOUR
const quote: Omit<OperationHistory, 'minutes'> = { service: 'gateway', operation: 'GET /quote' }
const self = { service_name: 'gateway', operation: 'GET /quote' }
const healthy: Minute = { fast: 594, slow: 0 }
const slower: Minute = { fast: 582, slow: 12 }
const aDay = minutesOf(DAY + HOUR, healthy)

function expectAlerts(minutes: readonly Minute[], series: Series[], fires: Record<string, readonly Firing[]>): void {
  expectRules({ series: [tailspanIsUp(minutes.length), ...series], minute: minutes.length, every: 5, fires })
}

rulesTest('without a budget an operation warns when it is slower than yesterday for a quarter of an hour', () => {
  const minutes = [...aDay, ...minutesOf(35, slower)]
  expectAlerts(minutes, operationSeries({ ...quote, minutes }), {
    TailSlowerThanYesterday: [
      {
        labels: { severity: 'warning', ...self },
        summary: 'gateway GET /quote is slower than at this time yesterday, and has no budget.',
        description: [
          'Its p99 over the last 15 minutes is 175.8ms (8910 requests); one day ago it was 9.95ms.',
          'The slow ones took 210ms on average; normal is 10ms, the mean one day ago.',
          'What has grown most is their downstream: 100% of the time above normal, 200ms a request.',
          'Culprit: queue_wait in inventory POST /reserve, 100% of the time above normal in the slowest 1.178% of its requests (420 in the last hour).'
        ]
      }
    ]
  })
})

rulesTest('it does not warn before that, with a budget, or of too few requests', () => {
  const early = [...aDay, ...minutesOf(20, slower)]
  expectAlerts(early, operationSeries({ ...quote, minutes: early }), {})
  const minutes = [...aDay, ...minutesOf(35, slower)]
  const budget = { name: 'p99', seconds: 5, allowed: 0.05 }
  expectAlerts(minutes, operationSeries({ ...quote, budget, minutes }), {})
  const few = [...minutesOf(DAY + HOUR, { fast: 30, slow: 0 }), ...minutesOf(35, { fast: 20, slow: 10 })]
  expectAlerts(few, operationSeries({ ...quote, minutes: few }), {})
})

rulesTest('a tail that loses its time elsewhere than yesterday makes a ticket, if it is as long', () => {
  const minutes = [
    ...minutesOf(DAY + HOUR, { fast: 588, slow: 6, wait: 'queue' }),
    ...minutesOf(100, { fast: 588, slow: 6, wait: 'own gc' })
  ]
  expectAlerts(minutes, operationSeries({ ...quote, minutes }), {
    TailPhaseShift: [
      {
        labels: { severity: 'warning', ...self, phase: 'gc' },
        summary: 'The slowest requests of gateway GET /quote now lose their time to gc.',
        description: [
          'gc is 95.24% of the time of its requests above p99; one day ago it was 0% (now 200ms a request, then 0s).',
          'The slow ones took 210ms on average; normal is 10ms, the mean one day ago.',
          'What has grown most is their gc: 100% of the time above normal, 200ms a request.',
          'Culprit: gc in gateway GET /quote, 100% of the time above normal in the slowest 1.01% of its requests (360 in the last hour).'
        ]
      }
    ]
  })
})

rulesTest('a service whose tail nothing proves makes a ticket', () => {
  const minutes = minutesOf(3 * HOUR, { fast: 588, slow: 6, wait: 'nothing known' })
  expectAlerts(minutes, operationSeries({ ...quote, minutes }), {
    TailAttributionPoor: [
      {
        labels: { severity: 'warning', service_name: 'gateway' },
        summary: 'Nothing proves what the slowest requests of gateway waited for.',
        description: [
          '95.24% of their time in the last hour is unattributed (360 requests above p99). Most of all in GET /quote: 95.24%.',
          'The service works; what Tailspan says of its tail is a part of the truth until it sends more evidence.'
        ]
      }
    ]
  })
})

rulesTest('a service that falls silent makes a ticket, one that was never loud does not', () => {
  const minutes = [...minutesOf(2 * HOUR, healthy), ...minutesOf(40, { fast: 0, slow: 0 })]
  const quiet = [...minutesOf(2 * HOUR, { fast: 4, slow: 0 }), ...minutesOf(40, { fast: 0, slow: 0 })]
  const series = [
    ...operationSeries({ ...quote, minutes }),
    ...operationSeries({ ...quote, service: 'cron', minutes: quiet })
  ]
  expectAlerts(minutes, series, {
    TailNoData: [
      {
        labels: { severity: 'warning', service_name: 'gateway' },
        summary: 'No request of gateway reaches Tailspan any more.',
        description: ['8910 requests came in 15 minutes one hour ago, now none.']
      }
    ]
  })
  const back = [...minutes, ...minutesOf(5, healthy)]
  expectAlerts(back, operationSeries({ ...quote, minutes: back }), {})
})
