import { type AlertingSettings } from '../../settings/alerting.ts'
import { type Alert } from './alert.ts'
import { recorded } from './recording.ts'
import { asker, count, seconds } from './texts.ts'
import { type Windows } from './windows.ts'

const LOSS_WARNING = 0.01
const LOSS_CRITICAL = 0.1
const INCOMPLETE_MAX = 0.05
const UNDELIVERED_MAX = 0.01
const EVENT_LOOP_LAG_SECONDS_MAX = 0.2
/** Of the time after which a scrape is given up. */
const SCRAPE_SHARE_MAX = 0.5

/** What Tailspan says of itself: when its answers are not all of the truth. */
export function ownAlerts(settings: AlertingSettings, scrapeTimeoutMs: number, windows: Windows): readonly Alert[] {
  return [
    ...ingestLoss(windows),
    tracesIncomplete(windows),
    seriesOverflow(windows),
    forwardLoss(windows),
    targetDown(settings, windows),
    scrapeSlow(settings, scrapeTimeoutMs, windows),
    logDegraded(windows)
  ]
}

function ingestLoss(windows: Windows): readonly Alert[] {
  const { first } = asker([])
  const increase = (selector: string): string => `increase(${selector}[${windows.length('10m')}])`
  const refused = (name: string): string =>
    first(
      `topk(1, sum by (reason) (${increase(name)}) > 0)`,
      ` Refused, most often for {{ .Labels.reason }}: ${count}.`
    )
  const late = first(`sum(${increase('tail_spans_late_total')}) > 0`, ` Late: ${count}.`)
  const alert = {
    name: 'TailIngestLoss',
    subject: 'itself',
    for: windows.length('10m'),
    summary:
      '{{ $value | humanizePercentage }} of the {{ $labels.lost }} that services send are missing from the numbers.',
    description:
      `In the last ${windows.words('10m')} they were refused, or came after their trace was counted.` +
      `{{ if eq $labels.lost "spans" }}${refused('tail_spans_rejected_total')}${late}{{ else }}${refused('tail_requests_refused_total')}{{ end }}`
  } as const
  return [
    { ...alert, severity: 'critical', expr: `${recorded.ingestLost} > ${LOSS_CRITICAL}` },
    { ...alert, severity: 'warning', expr: `${recorded.ingestLost} > ${LOSS_WARNING}` }
  ]
}

function tracesIncomplete(windows: Windows): Alert {
  const { first } = asker([])
  const window = windows.length('30m')
  return {
    name: 'TailTracesIncomplete',
    severity: 'warning',
    subject: 'itself',
    expr: `${recorded.tracesIncomplete} > ${INCOMPLETE_MAX}`,
    for: window,
    summary: '{{ $value | humanizePercentage }} of the traces are closed without their root, or before they are whole.',
    description:
      `Causes found in them may lie in spans that never came.` +
      first(
        `topk(1, sum by (reason) (increase(tail_traces_closed_total{reason=~"no_root|age|spans|memory"}[${window}])))`,
        ` Most often (${count} traces in the last ${windows.words('30m')}) the reason is {{ .Labels.reason }}.`
      ) +
      first(
        `topk(1, sum by (service_name) (increase(tail_requests_partial_total[${window}])) > 0)`,
        ` Spans of instrumented peers are missing most below {{ .Labels.service_name }}: ${count} requests.`
      )
  }
}

function seriesOverflow(windows: Windows): Alert {
  return {
    name: 'TailSeriesOverflow',
    severity: 'warning',
    subject: 'itself',
    expr: `sum(increase(tail_series_overflow_total[${windows.length('15m')}])) > 0`,
    for: windows.length('30m'),
    summary: 'More operations than Tailspan keeps series for.',
    description: `{{ $value | printf "%.0f" }} requests in the last ${windows.words('15m')} were counted under __other__: their operations have no bands, no blame and no alerts.`
  }
}

function forwardLoss(windows: Windows): Alert {
  const { first } = asker(['destination'])
  const window = windows.length('10m')
  const increase = (matchers: string): string => `increase(tail_forward_spans_total{${matchers}}[${window}])`
  const lost = `sum by (destination) (${increase('result!="sent"')})`
  return {
    name: 'TailForwardLoss',
    severity: 'warning',
    subject: 'itself',
    expr: `${lost}\n/\n(sum by (destination) (${increase('')}) > 0)\n> ${UNDELIVERED_MAX}`,
    for: window,
    summary: '{{ $value | humanizePercentage }} of the spans for {{ $labels.destination }} were not delivered.',
    description:
      `In the last ${windows.words('10m')} they were dropped.` +
      first(
        `topk(1, sum by (result) (${increase('result!="sent",destination=%[1]q')}) > 0)`,
        ` Most often as {{ .Labels.result }}: ${count}.`
      )
  }
}

function targetDown({ job }: AlertingSettings, windows: Windows): Alert {
  return {
    name: 'TailTargetDown',
    severity: 'critical',
    subject: 'itself',
    expr: `up{job="${job}"} == 0\nor\nabsent(up{job="${job}"})`,
    for: windows.length('5m'),
    summary: '{{ with $labels.instance }}Tailspan at {{ . }} does not answer{{ else }}No Tailspan is scraped{{ end }}.',
    description:
      'While it is down its alerts about services are silent, and spans wait in their senders for as long as these can hold them.'
  }
}

function scrapeSlow({ job }: AlertingSettings, scrapeTimeoutMs: number, windows: Windows): Alert {
  const { first } = asker(['instance'])
  const duration = `scrape_duration_seconds{job="${job}"}`
  const lag = `nodejs_eventloop_lag_p99_seconds{job="${job}"}`
  const timeoutSeconds = scrapeTimeoutMs / 1e3
  const at = (selector: string): string => selector.replace('}', ',instance=%[1]q}')
  return {
    name: 'TailScrapeSlow',
    severity: 'info',
    subject: 'itself',
    expr: `${duration} > ${SCRAPE_SHARE_MAX * timeoutSeconds}\nor\n${lag} > ${EVENT_LOOP_LAG_SECONDS_MAX}`,
    for: windows.length('10m'),
    summary: 'Tailspan at {{ $labels.instance }} answers slowly.',
    description:
      first(
        at(duration),
        `Its last scrape took ${seconds}; after ${timeoutSeconds} s it is cut off and the numbers have a hole.`
      ) + first(at(lag), ` Its event loop comes ${seconds} late (p99).`)
  }
}

function logDegraded(windows: Windows): Alert {
  const { first } = asker([])
  const window = windows.length('10m')
  return {
    name: 'TailLogDegraded',
    severity: 'warning',
    subject: 'itself',
    expr: 'max(tail_log_degraded) > 0',
    for: windows.length('1m'),
    summary: 'Tailspan cannot write its segment log.',
    description:
      'What it takes is in memory only and a crash loses it, or senders are told to come back (segment_log.on_error).' +
      first(`sum(increase(tail_log_unkept_records_total[${window}])) > 0`, ` Requests not kept: ${count}.`)
  }
}
