import { type ShownAlert } from '../builders/monitoring.ts'
import { type Cause } from './traffic.ts'
import { type BlameReading, type OperationReading } from './readings.ts'

export interface Frame {
  readonly elapsedSeconds: number
  readonly metricsUrl: string
  readonly requestsPerSecond: number
  readonly counted: number
  /** Nothing is broken without one. */
  readonly cause: Cause | undefined
  /** Until traces of the time before are closed, counts would mix two causes. */
  readonly settling: boolean
  readonly operations: readonly OperationReading[]
  readonly blame: readonly BlameReading[]
  readonly alerting?: {
    /** Of Prometheus and Alertmanager. */
    readonly urls: readonly string[]
    readonly alerts: readonly ShownAlert[]
  }
}

export interface Screen {
  readonly show: (frame: Frame) => void
}

const BAR_CELLS = 20

export function createScreen(isTerminal: boolean): Screen {
  const style = (code: number, text: string): string => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text)
  const paint = {
    bold: (text: string) => style(1, text),
    dim: (text: string) => style(2, text),
    good: (text: string) => style(32, text),
    hot: (text: string) => style(33, text)
  }
  return {
    show(frame) {
      const lines = frameLines(frame, paint)
      // Home, each line wiped to its end, and what was below wiped too: no flicker.
      if (isTerminal) process.stdout.write(`\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`)
      else process.stdout.write(`${lines.join('\n')}\n\n`)
    }
  }
}

type Paint = Readonly<Record<'bold' | 'dim' | 'good' | 'hot', (text: string) => string>>

function frameLines(frame: Frame, paint: Paint): string[] {
  const { cause, operations, alerting } = frame
  const clock = `${Math.floor(frame.elapsedSeconds / 60)}:${String(Math.floor(frame.elapsedSeconds % 60)).padStart(2, '0')}`
  const head = [
    paint.bold('Tailspan demo'),
    `${clock}   ${frame.requestsPerSecond} requests/s sent   ${frame.counted.toLocaleString('en-US')} counted`,
    paint.dim(frame.metricsUrl)
  ]
  return [
    head.join('   '),
    '',
    ...(cause === undefined ? ['injected   nothing yet: this is what is normal'] : causeLines(frame, cause, paint)),
    '',
    paint.dim(
      'operation                  requests     p50       p99      why its slowest 1 % is slow: mean excess per request'
    ),
    ...operations.flatMap((operation) => operationLines(operation, paint)),
    ...(alerting === undefined ? [] : ['', ...alertLines(alerting, paint)])
  ]
}

function alertLines({ urls, alerts }: NonNullable<Frame['alerting']>, paint: Paint): string[] {
  const head = paint.dim(`alerts     ${urls.join('   ')}`)
  if (alerts.length === 0) return [head, '           none']
  return [
    head,
    ...alerts.flatMap(({ labels, annotations, receivers }) => [
      `${paint.hot((labels['severity'] ?? '').padEnd(10))} ${paint.bold(annotations['summary'] ?? '')} ${paint.dim(`${labels['alertname'] ?? ''} to ${receivers.map(({ name }) => name).join(', ')}`)}`,
      ...(annotations['description'] ?? '')
        .trimEnd()
        .split('\n')
        .map((line) => `           ${line}`),
      paint.dim(`           ${annotations['page_url'] ?? ''}   ${annotations['runbook_url'] ?? ''}`)
    ])
  ]
}

function causeLines(frame: Frame, cause: Cause, paint: Paint): string[] {
  return [
    `injected   ${paint.hot(cause.title)}`,
    `expected   ${cause.culprit.service}: ${cause.culprit.phase}`,
    ...foundLines(frame, cause, paint)
  ]
}

function foundLines({ settling, blame }: Frame, cause: Cause, paint: Paint): string[] {
  if (settling) return [paint.dim('found      (waiting until the requests of the last cause are closed)')]
  if (blame.length === 0) return [paint.dim('found      (thresholds need 200 requests of an operation)')]
  const { service, phase } = cause.culprit
  return blame.map((reading) => {
    const text = `found      ${reading.culprit}: ${reading.phase}, ${percent(reading.share)} of the tail of ${reading.root}`
    if (!cause.roots.includes(reading.root)) return paint.dim(`${text} (the cause does not touch it)`)
    return reading.service === service && reading.phase === phase ? paint.good(`${text}  ✓`) : text
  })
}

function operationLines(reading: OperationReading, paint: Paint): string[] {
  const name = `${reading.service} ${reading.operation}`.padEnd(25).slice(0, 25)
  const counts = String(reading.requests).padStart(9)
  const times = `${milliseconds(reading.p50Seconds)} ${milliseconds(reading.p99Seconds)}`
  const positive = reading.excess.filter(({ seconds }) => seconds > 0)
  const sum = positive.reduce((seconds, part) => seconds + part.seconds, 0)
  const worth = positive.filter(({ seconds }) => seconds >= 0.03 * sum)
  const parts = worth.slice(0, 3).map(({ phase, seconds }, rank) => {
    const share = seconds / sum
    const text = `${phase.padEnd(12)} +${(seconds * 1e3).toFixed(1).padStart(6)} ms ${bar(share)} ${percent(share)}`
    return rank === 0 ? paint.bold(text) : text
  })
  const [first = paint.dim('nothing in its tail yet'), ...rest] = parts
  return [`${name} ${counts} ${times}   ${first}`, ...rest.map((part) => `${' '.repeat(57)}${part}`)]
}

const percent = (share: number): string => `${Math.round(share * 100)} %`
const bar = (share: number): string => '█'.repeat(Math.round(share * BAR_CELLS)).padEnd(BAR_CELLS, '░')

function milliseconds(seconds: number): string {
  const text = seconds > 0 ? `${(seconds * 1e3).toFixed(1)} ms` : '-'
  return text.padStart(9)
}
