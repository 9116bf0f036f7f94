import {
  assembleSection,
  assembleSettings,
  type Assembler,
  type AssembleSettings,
  createAssembler
} from '../../../src/assemble/index.ts'
import { closeReasons, Kind, type TraceColumns } from '../../../src/model/spans.ts'
import { batchOf, type DrawnSpan, resourcesOf, traceIdOf } from '../../builders/batches.ts'

/**
 * A story is lines of a time and spans; each line lets time pass (closing what is due), then the spans come in one
 * batch. What is handed on is told in the same words.
 *
 *   0s    a1!s a2<1       trace a: span 1, a SERVER without parent; span 2, whose parent is span 1
 *   8s                    nothing comes
 *   => 8s a quiet: 1 2
 *
 * Kinds: !s server, !c client, !p producer, !k consumer. /7 is the operation with id 7. @5 starts at 5 ns.
 */
export interface Story {
  readonly assembler: Assembler
  /** Plays lines, and returns what was handed on meanwhile. */
  readonly play: (lines: string) => string
}

const kinds: Readonly<Record<string, number>> = {
  s: Kind.server,
  c: Kind.client,
  p: Kind.producer,
  k: Kind.consumer
}
const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 }

export function settingsOf(changes: Partial<AssembleSettings> = {}): AssembleSettings {
  return { ...assembleSettings(assembleSection.parse({})), ...changes }
}

export function tellStory(changes: Partial<AssembleSettings> = {}): Story {
  let told: string[] = []
  let time = ''
  const assembler = createAssembler(
    settingsOf(changes),
    { resources: resourcesOf(8), seed: 1 },
    {
      closed(trace, contextRows) {
        const context = contextRows === 0 ? '' : ` [${spanIds(trace, 0, contextRows)}]`
        const reason = `${closeReasons[trace.closedBy] ?? '?'}${trace.truncated ? ' truncated' : ''}`
        told.push(`${time} ${letterOf(trace)} ${reason}:${context} ${spanIds(trace, contextRows, trace.n)}`)
      },
      late(trace) {
        told.push(`${time} ${letterOf(trace)} late: ${spanIds(trace, 0, trace.n)}`)
      }
    }
  )
  return {
    assembler,
    play: (text) => {
      told = []
      for (const line of text.trim().split('\n')) {
        const [when = '', ...words] = line.trim().split(/\s+/)
        time = when
        const nowMs = timeOf(when)
        do assembler.tick(nowMs)
        while (assembler.due(nowMs))
        if (words.length > 0) assembler.consume(batchOf(words.map(spanOf)), nowMs)
      }
      return told.join('\n')
    }
  }
}

/** Lines as they are compared: without the indentation of the test around them. */
export function lines(text: string): string {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
}

export function timeOf(text: string): number {
  const match = /^([\d.]+)(ms|s|m)$/.exec(text)
  if (match === null) throw new Error(`not a time: ${text}`)
  return 1_000_000 + Number(match[1]) * (units[match[2] ?? ''] ?? NaN)
}

export function spanOf(word: string): DrawnSpan {
  const match = /^([a-z])(\d+)(?:<(\d+))?(?:!([scpk]))?(?:\/(\d+))?(?:@(\d+))?$/.exec(word)
  if (match === null) throw new Error(`not a span: ${word}`)
  const [, trace = '', id, parent, kind = '', operation, start] = match
  return {
    trace: trace.charCodeAt(0),
    id: Number(id),
    parent: Number(parent ?? 0),
    kind: kinds[kind] ?? Kind.internal,
    operation: Number(operation ?? 0),
    start: Number(start ?? 0)
  }
}

function letterOf(trace: TraceColumns): string {
  const number = trace.traceId[3] as number
  if ([...trace.traceId].join() !== traceIdOf(number).join())
    throw new Error('a trace id came out other than it went in')
  return String.fromCharCode(number)
}

function spanIds(trace: TraceColumns, from: number, to: number): string {
  return Array.from({ length: to - from }, (_, i) => trace.spanId[2 * (from + i) + 1]).join(' ')
}
