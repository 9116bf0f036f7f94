import { type AlertingSettings } from '../../settings/alerting.ts'
import { type Alert } from './alert.ts'
import { aboveP99, causeLines } from './causes.ts'
import { recorded, SAMPLE_MIN } from './recording.ts'
import { asker, count, operationName, seconds, share } from './texts.ts'
import { type Windows } from './windows.ts'

const OPERATION = 'service_name, operation'
const SELF = 'service_name=%[1]q,operation=%[2]q'
const SHIFT_MIN = 0.2
const UNATTRIBUTED_MAX = 0.3
/** Of a service whose requests stopped, an hour ago in 15 minutes. */
const REQUESTS_BEFORE_MIN = 100

/** What is said of operations and services whether they have budgets or not. */
export function operationAlerts(settings: AlertingSettings, windows: Windows): readonly Alert[] {
  return [
    slowerThanYesterday(settings, windows),
    phaseShift(settings, windows),
    attributionPoor(windows),
    noData(windows)
  ]
}

/** Which operations have bands: requests and messages, no streams and no background work, and not `__other__`. */
const BANDED = `count by (${OPERATION}) (tail_band_threshold_seconds{quantile="0.99"})`

function slowerThanYesterday({ slowerThanYesterday: slower }: AlertingSettings, windows: Windows): Alert {
  const { first } = asker(aboveP99.labels)
  const yesterday = `${recorded.p99('1h')} offset ${windows.length('1d')}`
  return {
    name: 'TailSlowerThanYesterday',
    severity: 'warning',
    subject: 'operation',
    expr: [
      `${recorded.p99('15m')} > ${slower.factor} * (${yesterday})`,
      `and\n${recorded.p99('15m')} - (${yesterday}) >= ${slower.byMs / 1e3}`,
      `and\n${recorded.requests('15m')} >= ${slower.requestsMin}`,
      `and\n${recorded.requests('1h')} offset ${windows.length('1d')} >= ${slower.requestsMin}`,
      `and on (${OPERATION})\n${BANDED}`,
      `unless on (${OPERATION})\ntail_budget_allowed_ratio`
    ].join('\n'),
    for: windows.length('15m'),
    summary: `${operationName} is slower than at this time yesterday, and has no budget.`,
    description:
      `Its p99 over the last ${windows.words('15m')} is {{ $value | humanizeDuration }}` +
      first(`${recorded.requests('15m')}{${SELF}}`, ` (${count} requests)`) +
      first(
        `${recorded.p99('1h')}{${SELF}} offset ${windows.length('1d')}`,
        `; ${windows.ago('1d')} it was ${seconds}`
      ) +
      `.${causeLines(aboveP99, windows)}`
  }
}

function phaseShift({ slowerThanYesterday }: AlertingSettings, windows: Windows): Alert {
  const { first } = asker([...aboveP99.labels, 'phase'])
  const { slowShare: part, slow: mean } = recorded
  const day = windows.length('1d')
  return {
    name: 'TailPhaseShift',
    severity: 'warning',
    subject: 'operation',
    // A share of next to nothing may be what it likes.
    expr: [
      `${part} - ${part} offset ${day} > ${SHIFT_MIN}`,
      `and\n${mean} - ${mean} offset ${day} >= ${slowerThanYesterday.byMs / 1e3}`
    ].join('\n'),
    for: windows.length('30m'),
    summary: `The slowest requests of ${operationName} now lose their time to {{ $labels.phase }}.`,
    description:
      first(`${part}{${SELF},phase=%[3]q}`, `{{ $labels.phase }} is ${share} of the time of its requests above p99`) +
      first(`${part}{${SELF},phase=%[3]q} offset ${day}`, `; ${windows.ago('1d')} it was ${share}`) +
      first(`${mean}{${SELF},phase=%[3]q}`, ` (now ${seconds} a request`) +
      first(`${mean}{${SELF},phase=%[3]q} offset ${day}`, `, then ${seconds}`) +
      `).${causeLines(aboveP99, windows)}`
  }
}

function attributionPoor(windows: Windows): Alert {
  const { first } = asker(['service_name'])
  const slow = (matchers: string): string =>
    `sum by (service_name) (increase(tail_phase_seconds_total{band="gt_p99"${matchers}}[${windows.length('1h')}]))`
  const requests = `sum by (service_name) (increase(tail_requests_total{band="gt_p99"}[${windows.length('1h')}]))`
  const worst = `topk(1, sum by (operation) (increase(tail_phase_seconds_total{service_name=%[1]q,band="gt_p99",phase="unattributed"}[${windows.length('1h')}])) / sum by (operation) (increase(tail_phase_seconds_total{service_name=%[1]q,band="gt_p99"}[${windows.length('1h')}])))`
  return {
    name: 'TailAttributionPoor',
    severity: 'warning',
    subject: 'service',
    expr: [
      `${slow(',phase="unattributed"')}\n/\n${slow('')}\n> ${UNATTRIBUTED_MAX}`,
      `and\n${requests} >= ${SAMPLE_MIN}`
    ].join('\n'),
    for: windows.length('1h'),
    summary: 'Nothing proves what the slowest requests of {{ $labels.service_name }} waited for.',
    description:
      `{{ $value | humanizePercentage }} of their time in the last ${windows.words('1h')} is unattributed` +
      first(
        `sum(increase(tail_requests_total{service_name=%[1]q,band="gt_p99"}[${windows.length('1h')}]))`,
        ` (${count} requests above p99)`
      ) +
      '.' +
      first(worst, ` Most of all in {{ .Labels.operation }}: ${share}.`) +
      '\nThe service works; what Tailspan says of its tail is a part of the truth until it sends more evidence.'
  }
}

function noData(windows: Windows): Alert {
  const { first } = asker(['service_name'])
  const requests = (offset: string): string =>
    `sum by (service_name) (increase(tail_requests_total{service_name!="__other__"}[${windows.length('15m')}]${offset}))`
  const before = ` offset ${windows.length('1h')}`
  return {
    name: 'TailNoData',
    severity: 'warning',
    subject: 'service',
    expr: `${requests(before)} >= ${REQUESTS_BEFORE_MIN}\nunless\n${requests('')} > 0`,
    for: windows.length('15m'),
    summary: 'No request of {{ $labels.service_name }} reaches Tailspan any more.',
    description:
      `{{ $value | printf "%.0f" }} requests came in ${windows.words('15m')} ${windows.ago('1h')}, now none.` +
      first(
        `sum(increase(tail_spans_received_total[${windows.length('5m')}]))`,
        ` Of all services together ${count} spans came in the last ${windows.words('5m')}.`
      )
  }
}
