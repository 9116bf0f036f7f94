import { type Cause } from './traffic.ts'
import { type BlameReading, type OperationReading } from './readings.ts'

export interface Frame {
  readonly elapsedSeconds: number
  readonly metricsUrl: string
  readonly requestsPerSecond: number
  readonly counted: number
  readonly cause: Cause
  /** Until traces of the time before are closed, counts would mix two causes. */
  readonly settling: boolean
  readonly operations: readonly OperationReading[]
  readonly blame: readonly BlameReading[]
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
  const { cause, operations, blame } = frame
  const clock = `${Math.floor(frame.elapsedSeconds / 60)}:${String(Math.floor(frame.elapsedSeconds % 60)).padStart(2, '0')}`
  const head = [
    paint.bold('Tailspan demo'),
    `${clock}   ${frame.requestsPerSecond} requests/s sent   ${frame.counted.toLocaleString('en-US')} counted`,
    paint.dim(frame.metricsUrl)
  ]
  return [
    head.join('   '),
    '',
    `injected   ${paint.hot(cause.title)}`,
    `expected   ${cause.culprit.service}: ${cause.culprit.phase}`,
    ...foundLines(frame, blame, paint),
    '',
    paint.dim(
      'operation                  requests     p50       p99      why its slowest 1 % is slow: mean excess per request'
    ),
    ...operations.flatMap((operation) => operationLines(operation, paint))
  ]
}

function foundLines(frame: Frame, blame: readonly BlameReading[], paint: Paint): string[] {
  if (frame.settling) return [paint.dim('found      (waiting until the requests of the last cause are closed)')]
  if (blame.length === 0) return [paint.dim('found      (thresholds need 200 requests of an operation)')]
  const { service, phase } = frame.cause.culprit
  return blame.map((reading) => {
    const text = `found      ${reading.culprit}: ${reading.phase}, ${percent(reading.share)} of the tail of ${reading.root}`
    if (!frame.cause.roots.includes(reading.root)) return paint.dim(`${text} (the cause does not touch it)`)
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
