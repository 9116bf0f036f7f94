import { classes, type ClassName, RequestClass } from '../model/requests.ts'
import { type Strings } from '../runtime/strings.ts'
import { grown } from './columns.ts'
import { compileGlob } from '../runtime/glob.ts'

/** A stream shows in its last 20 requests ... */
const HISTORY = 20
const HISTORY_MASK = 2 ** HISTORY - 1
/** ... when more than this many of them outlived `streamAfterMs`. */
const LONG_MIN = HISTORY / 2
export const BY_STRUCTURE = 7

/** What each row's operation is: by settings, else a stream if its requests say so, else what structure said. */
export interface Classes {
  readonly ensureRows: (rows: number) => void
  readonly onTaken: (row: number, service: number, operation: number) => void
  /** Remembers how long a request took. */
  readonly learn: (row: number, durationNs: number) => void
  readonly classOf: (row: number, structural: number) => number
  /** The class that structure has no say in, or BY_STRUCTURE. */
  readonly overrideOf: (row: number) => number
  readonly isLearnedStream: (row: number) => boolean
  /** A new row that was a stream before it went; its requests may say otherwise. */
  readonly beginAsStream: (row: number) => void
  /** From now on streams are what is set here, and nothing is learned. */
  readonly fixStreams: (row: number, stream: boolean) => void
}

export interface ClassesOptions {
  readonly rules: readonly { readonly match: string; readonly class: ClassName }[]
  readonly streamAfterMs: number
  readonly strings: Strings
}

export function createClasses(options: ClassesOptions): Classes {
  const rules = options.rules.map((rule) => ({ matches: compileGlob(rule.match), class: classes.indexOf(rule.class) }))
  const streamAfterNs = options.streamAfterMs * 1e6
  let bySettings = new Uint8Array(0)
  /** One bit for each of the last requests: it was long. */
  let history = new Uint32Array(0)
  let stream = new Uint8Array(0)
  let fixed = false

  function learn(row: number, durationNs: number): void {
    if (fixed) return
    const before = history[row] as number
    const after = ((before << 1) & HISTORY_MASK) | (durationNs > streamAfterNs ? 1 : 0)
    if (after === before) return
    history[row] = after
    stream[row] = bitsOf(after) > LONG_MIN ? 1 : 0
  }

  function overrideOf(row: number): number {
    if (bySettings[row] !== BY_STRUCTURE) return bySettings[row] as number
    return stream[row] === 1 ? RequestClass.stream : BY_STRUCTURE
  }

  return {
    ensureRows(rows) {
      bySettings = grown(bySettings, rows)
      history = grown(history, rows)
      stream = grown(stream, rows)
    },
    onTaken(row, service, operation) {
      history[row] = 0
      stream[row] = 0
      bySettings[row] = BY_STRUCTURE
      if (rules.length === 0) return
      const name = `${options.strings.text(service)}/${options.strings.text(operation)}`
      const rule = rules.find(({ matches }) => matches(name))
      if (rule !== undefined) bySettings[row] = rule.class
    },
    learn,
    classOf(row, structural) {
      const override = overrideOf(row)
      return override === BY_STRUCTURE ? structural : override
    },
    overrideOf,
    isLearnedStream: (row) => stream[row] === 1,
    beginAsStream(row) {
      history[row] = HISTORY_MASK
      stream[row] = 1
    },
    fixStreams(row, isStream) {
      fixed = true
      stream[row] = isStream ? 1 : 0
    }
  }
}

function bitsOf(word: number): number {
  let bits = 0
  for (let rest = word; rest !== 0; rest &= rest - 1) bits += 1
  return bits
}
