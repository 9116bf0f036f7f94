import { PART_BYTES, UNCUT_BYTES_MAX, type FileProblem, type Signal } from './payload.ts'

export interface JsonSplitter {
  /** The bytes that follow those of the last push. */
  readonly push: (chunk: Uint8Array) => void
  readonly end: () => void
}

export interface JsonSplitterOptions {
  readonly document: (bytes: Uint8Array, signal: Signal | undefined, line: number) => void
  readonly problem: (problem: FileProblem) => void
  readonly partBytes?: number
  readonly uncutBytesMax?: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const NEWLINE = 0x0a
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const RECORD_SEPARATOR = 0x1e

const signals: readonly (readonly [string, Signal])[] = [
  ['resourceSpans', 'traces'],
  ['resource_spans', 'traces'],
  ['resourceMetrics', 'metrics'],
  ['resource_metrics', 'metrics'],
  ['resourceLogs', 'logs'],
  ['resource_logs', 'logs']
]

/** `{"resourceSpans":[{"scopeSpans":[{"spans":[`: between two elements of these arrays a document can be cut. */
const SPINE = 6
/** Kept of a document that is too large to hold, so that the next one is still recognised by its first key. */
const KEY_BYTES_MAX = 1024
const decoder = new TextDecoder()

/**
 * Finds the documents in a stream of JSON: one or many, a line each or many lines each, or in an array. Looks at each byte once and
 * only at quotes, brackets and line ends; whether a document is right is for its decoder to say.
 *
 *   between --{--> inside --last }--> between
 *   between --anything else--> lost --{ at the start of a line--> inside
 *   inside --line end in a string--> lost
 *   inside --line that starts a new request--> inside (what came before it is reported)
 */
export function createJsonSplitter(options: JsonSplitterOptions): JsonSplitter {
  const { document, problem, partBytes = PART_BYTES, uncutBytesMax = UNCUT_BYTES_MAX } = options
  let buffer = new Uint8Array(1 << 16)
  let length = 0
  /** The next byte to look at. */
  let at = 0
  /** Where the document begins; all before it is done with. */
  let start = 0
  let depth = 0
  let line = 1
  let lineStart = 0
  let documentLine = 1
  let inString = false
  let escaped = false
  let stringStart = 0
  let lost = false
  let signal: Signal | undefined
  /** A brace at the start of a line inside a document: the next document's, if the first key after it says so. */
  let suspect = -1
  /** Bracket and place of the outermost levels, from index 1. */
  const bracket = new Uint8Array(SPINE + 2)
  const openedAt = new Float64Array(SPINE + 2)
  let headBytes = 0
  let dropComma = false
  let oversized = false
  let toldOfResource = false

  function begin(index: number): void {
    start = index
    documentLine = line
    depth = 1
    bracket[1] = OPEN_BRACE
    openedAt[1] = index
    signal = undefined
    suspect = -1
    headBytes = 0
    lost = false
    oversized = false
  }

  function giveUp(message: string): void {
    if (!oversized) problem({ where: `line ${documentLine}`, message })
    depth = 0
    inString = false
    lost = true
  }

  function open(code: number): void {
    if (depth === 0) {
      if (code === OPEN_BRACE && (!lost || at === lineStart)) begin(at)
      return
    }
    if (code === OPEN_BRACE && at === lineStart) suspect = at
    depth += 1
    if (depth > SPINE) return
    bracket[depth] = code
    openedAt[depth] = at
  }

  function close(): void {
    if (depth === 0) return
    depth -= 1
    if (depth === 0) {
      if (!oversized) document(buffer.subarray(start, at + 1), signal, documentLine)
      start = at + 1
    } else if (depth <= SPINE && depth % 2 === 0 && at + 1 - start > headBytes + partBytes && onSpine()) {
      cut()
    }
  }

  function onSpine(): boolean {
    for (let level = 1; level <= depth; level++) {
      if (bracket[level] !== (level % 2 === 1 ? OPEN_BRACE : OPEN_BRACKET)) return false
    }
    return true
  }

  /** Hands on what is here as a document of its own, and goes on with its head alone: the spine and what it says of resource and scope. */
  function cut(): void {
    const closers = new Uint8Array(depth).map((_, i) => ((depth - i) % 2 === 0 ? CLOSE_BRACKET : CLOSE_BRACE))
    const part = new Uint8Array(at + 1 - start + depth)
    part.set(buffer.subarray(start, at + 1))
    part.set(closers, at + 1 - start)
    let kept = start
    for (let level = 1; level < depth; level += 2) {
      const from = openedAt[level] as number
      const to = (openedAt[level + 1] as number) + 1
      if (level === 3) warnOfResource(from, to)
      buffer.copyWithin(kept, from, to)
      openedAt[level] = kept
      openedAt[level + 1] = kept + to - from - 1
      kept += to - from
    }
    headBytes = kept - start
    buffer.copyWithin(kept, at + 1, length)
    length -= at + 1 - kept
    lineStart -= at + 1 - kept
    at = kept - 1
    dropComma = true
    suspect = -1
    document(part, signal, documentLine)
  }

  function warnOfResource(from: number, to: number): void {
    if (toldOfResource || decoder.decode(buffer.subarray(from, to)).includes('"resource"')) return
    toldOfResource = true
    const message =
      'a very large entry names its resource after its spans: those before it are taken to be of no service'
    problem({ where: `line ${documentLine}`, message })
  }

  function endString(): void {
    inString = false
    if (suspect >= 0) {
      const next = signalOf(stringStart, at)
      if (next !== undefined) {
        const brace = suspect
        if (!oversized)
          problem({
            where: `line ${documentLine}`,
            message: 'this document is cut short; another begins before its end'
          })
        begin(brace)
        signal = next
      }
      suspect = -1
    } else if (depth === 1) {
      signal ??= signalOf(stringStart, at)
    }
  }

  function signalOf(from: number, to: number): Signal | undefined {
    if (to - from > 20) return undefined
    const key = decoder.decode(buffer.subarray(from, to))
    return signals.find(([name]) => name === key)?.[1]
  }

  function between(code: number): void {
    if (lost || code <= 0x20 || code === COMMA || code === RECORD_SEPARATOR || isMark(code)) return
    documentLine = line
    giveUp('expected a JSON object')
  }

  function scan(): void {
    for (; at < length; at++) {
      const code = buffer[at] as number
      if (inString) {
        if (escaped) escaped = false
        else if (code === QUOTE) endString()
        else if (code === BACKSLASH) escaped = true
        else if (code === NEWLINE) {
          giveUp('a line ends inside a string: this document is cut short')
          newLine()
        }
        continue
      }
      if (dropComma && code > 0x20) {
        dropComma = false
        if (code === COMMA) buffer[at] = 0x20
      }
      if (code === QUOTE && depth > 0) {
        inString = true
        stringStart = at + 1
      } else if (code === OPEN_BRACE || code === OPEN_BRACKET) open(code)
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) close()
      else if (code === NEWLINE) newLine()
      else if (depth === 0) between(code)
    }
  }

  function newLine(): void {
    line += 1
    lineStart = at + 1
  }

  /** Moves what is not done with to the front, and forgets a document that is too large to hold. */
  function settle(): void {
    if (depth > 0 && length - start > headBytes + uncutBytesMax && !oversized) {
      problem({
        where: `line ${documentLine}`,
        message: `a document of more than ${uncutBytesMax} bytes without a place to cut it`
      })
      oversized = true
    }
    const keepFrom = depth === 0 ? length : oversized ? Math.max(0, length - KEY_BYTES_MAX) : start
    buffer.copyWithin(0, keepFrom, length)
    for (let level = 1; level <= SPINE; level++) openedAt[level] = (openedAt[level] as number) - keepFrom
    length -= keepFrom
    at -= keepFrom
    start -= keepFrom
    lineStart -= keepFrom
    stringStart -= keepFrom
    suspect = Math.max(-1, suspect - keepFrom)
  }

  return {
    push(chunk) {
      if (length + chunk.length > buffer.length) {
        const larger = new Uint8Array(Math.max(buffer.length * 2, length + chunk.length))
        larger.set(buffer.subarray(0, length))
        buffer = larger
      }
      buffer.set(chunk, length)
      length += chunk.length
      scan()
      settle()
    },
    end() {
      if (depth > 0) giveUp('the file ends inside this document')
    }
  }
}

function isMark(code: number): boolean {
  // A byte order mark may stand at the front.
  return code === 0xef || code === 0xbb || code === 0xbf
}
