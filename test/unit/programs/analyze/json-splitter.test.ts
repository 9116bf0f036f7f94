import { expect, test } from '@jest/globals'
import { createJsonSplitter } from '../../../../src/programs/analyze/json-splitter.ts'
import { wholeNumbers } from '../../../builders/whole-numbers.ts'

interface Found {
  documents: unknown[]
  signals: (string | undefined)[]
  lines: number[]
  problems: string[]
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

function split(
  text: string,
  chunks: readonly number[] = [],
  limits: { partBytes?: number; uncutBytesMax?: number } = {}
): Found {
  const found: Found = { documents: [], signals: [], lines: [], problems: [] }
  const splitter = createJsonSplitter({
    document(bytes, signal, line) {
      found.documents.push(JSON.parse(decoder.decode(bytes)) as unknown)
      found.signals.push(signal)
      found.lines.push(line)
    },
    problem: ({ where, message }) => found.problems.push(`${where}: ${message}`),
    ...limits
  })
  const bytes = encoder.encode(text)
  let at = 0
  for (const size of [...chunks, bytes.length]) {
    splitter.push(bytes.subarray(at, at + size))
    at += size
  }
  splitter.end()
  return found
}

const spans = (...names: string[]): unknown => ({
  resourceSpans: [
    { resource: { attributes: [] }, scopeSpans: [{ scope: { name: 'lib' }, spans: names.map((name) => ({ name })) }] }
  ]
})

test('documents on lines of their own are found with their lines', () => {
  const found = split(`${JSON.stringify(spans('a'))}\n\n${JSON.stringify({ resourceMetrics: [] })}\n`)
  expect(found).toEqual({
    documents: [spans('a'), { resourceMetrics: [] }],
    signals: ['traces', 'metrics'],
    lines: [1, 3],
    problems: []
  })
})

test('pretty-printed documents, one behind the other or in an array, are found', () => {
  const pretty = JSON.stringify(spans('a', 'b'), undefined, 2)
  expect(split(`${pretty}\n${pretty}${pretty}`).documents).toHaveLength(3)
  expect(split(`[${pretty},\n${pretty}]`)).toMatchObject({
    documents: [spans('a', 'b'), spans('a', 'b')],
    problems: []
  })
})

test('brackets, quotes and escapes inside strings do not count', () => {
  const tricky = spans('}{][', '\\', '"', '\\"}', '{"resourceSpans":1}', '\u2028é😀')
  expect(split(JSON.stringify(tricky))).toMatchObject({ documents: [tricky], problems: [] })
})

test('the way the bytes are cut into chunks never matters', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = wholeNumbers(seed)
    const texts = Array.from({ length: 5 }, (_, i) => {
      const names = Array.from({ length: next(6) }, (_, j) => `n${i}.${j}${'"\\é}{'.slice(next(5))}`)
      return JSON.stringify(spans(...names), undefined, next(3))
    })
    const text = texts.join(['', '\n', '\r\n', ' \n\n'][next(4)])
    const chunks = Array.from({ length: 400 }, () => next(next(2) === 0 ? 4 : 90))
    expect({ seed, ...split(text, chunks) }).toEqual({ seed, ...split(text) })
    expect({ seed, documents: split(text, chunks).documents }).toEqual({
      seed,
      documents: texts.map((t) => JSON.parse(t) as unknown)
    })
  }
})

test('a document too large to hold is cut into parts that name resource and scope again', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const next = wholeNumbers(seed)
    const entries = Array.from({ length: 3 }, (_, r) => ({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: `s${r}` } }] },
      scopeSpans: Array.from({ length: 1 + next(3) }, (_, s) => ({
        scope: { name: `lib${s}` },
        spans: Array.from({ length: next(20) }, (_, i) => ({ name: `${r}.${s}.${i}`, events: [{ name: '[{' }] }))
      }))
    }))
    const text = JSON.stringify({ resourceSpans: entries }, undefined, next(2))
    const chunks = Array.from({ length: 300 }, () => next(60))
    const found = split(text, chunks, { partBytes: 100 })
    expect({ seed, named: found.documents.flatMap(names) }).toEqual({ seed, named: names({ resourceSpans: entries }) })
    expect(found.documents.length).toBeGreaterThan(3)
    expect(found.problems).toEqual([])
  }
})

interface Entries {
  resourceSpans: { resource?: unknown; scopeSpans: { scope: { name: string }; spans: { name: string }[] }[] }[]
}

/** Every span with the resource and scope that it is under. */
function names(document: unknown): string[] {
  return (document as Entries).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map(({ name }) => `${JSON.stringify(resource)} ${scope.name} ${name}`)
    )
  )
}

test('spans cut from a resource that comes after them are told of', () => {
  const text = JSON.stringify({
    resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }, { name: 'b' }] }], resource: {} }]
  })
  expect(split(text, [], { partBytes: 5 }).problems).toEqual([
    'line 1: a very large entry names its resource after its spans: those before it are taken to be of no service'
  ])
})

test('a line cut short inside a string costs that line alone', () => {
  const good = JSON.stringify(spans('a'))
  const found = split(`${good}\n{"resourceSpans":[{"resou\n${good}\n`)
  expect(found).toMatchObject({ documents: [spans('a'), spans('a')], lines: [1, 3] })
  expect(found.problems).toEqual(['line 2: a line ends inside a string: this document is cut short'])
})

test('a line cut short between brackets costs that line alone', () => {
  const good = JSON.stringify(spans('a'))
  for (const chunks of [[], [good.length + 25], Array.from({ length: 500 }, () => 1)]) {
    const found = split(`${good}\n{"resourceSpans":[{\n${good}\n`, chunks)
    expect(found).toMatchObject({ documents: [spans('a'), spans('a')], lines: [1, 3] })
    expect(found.problems).toEqual(['line 2: this document is cut short; another begins before its end'])
  }
})

test('entries that stand at the start of a line are not taken for documents', () => {
  const text = '{"resourceSpans":[\n{"resource":{},\n"scopeSpans":[]},\n{"scopeSpans":[]}\n]}'
  expect(split(text)).toMatchObject({ documents: [JSON.parse(text)], problems: [] })
})

test('what is not JSON is told of once, and the next line that begins a document is read', () => {
  const good = JSON.stringify(spans('a'))
  const found = split(`oops\nmore "oops" }\n${good}`)
  expect(found).toMatchObject({ documents: [spans('a')], lines: [3], problems: ['line 1: expected a JSON object'] })
})

test('a file that ends inside a document is told of with the line where that began', () => {
  expect(split('\n\n{"resourceSpans":[').problems).toEqual(['line 3: the file ends inside this document'])
})

test('a document that cannot be cut is passed over in bounded memory, and the next one is read', () => {
  const good = JSON.stringify(spans('a'))
  const text = `{"x":"${'y'.repeat(5000)}"}\n${good}`
  const found = split(
    text,
    Array.from({ length: 600 }, () => 10),
    { uncutBytesMax: 1000 }
  )
  expect(found.documents).toEqual([spans('a')])
  expect(found.problems).toEqual(['line 1: a document of more than 1000 bytes without a place to cut it'])
})
