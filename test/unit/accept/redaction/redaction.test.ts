import { expect, test } from '@jest/globals'
import { createRedaction, type Redaction } from '../../../../src/accept/redaction/index.ts'
import { redactionSection, redactionSettings } from '../../../../src/accept/redaction/settings.ts'
import { jsonToProtobuf } from '../../../../src/forward/json-to-protobuf.ts'
import { Fault } from '../../../../src/runtime/fault.ts'
import { bytesField, numberField, textField } from '../../../builders/protobuf-bytes.ts'
import { createRandom } from '../../../builders/random.ts'

const CARD = '4111111111111111'
const CARD_PATTERN = '\\b[0-9]{16}\\b'

function redaction(rules: object[], hashKey = 'a key'): Redaction {
  const parsed = redactionSection.parse({ rules, hash_key: hashKey })
  return createRedaction(redactionSettings(parsed)) as Redaction
}

type Attributes = readonly { readonly key: string; readonly value: object }[]
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })

function requestOf(attributes: Attributes, name = 'GET /', more: object = {}): object {
  const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', name, kind: 2 }
  const times = { startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000000001000000' }
  return { resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, ...times, attributes, ...more }] }] }] }
}

const bytesOf = (document: object): Buffer => Buffer.from(JSON.stringify(document))

/** What is left of a span's attributes; by JSON and by protobuf, which must agree. */
function left(rules: object[], document: object): object {
  const { redact } = redaction(rules)
  const json = redact('traces', bytesOf(document), 'json')
  const protobuf = redact('traces', jsonToProtobuf(bytesOf(document)), 'protobuf')
  expect(Buffer.from(protobuf)).toEqual(jsonToProtobuf(json))
  return spanOf(JSON.parse(Buffer.from(json).toString()))
}

interface SpanLeft {
  readonly name: string
  readonly attributes: Attributes
}

function spanOf(document: unknown): SpanLeft {
  const { resourceSpans } = document as { resourceSpans: { scopeSpans: { spans: SpanLeft[] }[] }[] }
  return resourceSpans[0]?.scopeSpans[0]?.spans[0] as SpanLeft
}

test.each<[string, object[], Attributes, Attributes]>([
  [
    'delete takes an attribute away',
    [{ keys: ['user.email'], action: 'delete' }],
    [text('user.email', 'a@b.c'), text('http.route', '/')],
    [text('http.route', '/')]
  ],
  [
    'mask hides a whole value, whatever its type',
    [{ keys: ['user.*'], action: 'mask' }],
    [text('user.email', 'a@b.c'), { key: 'user.age', value: { intValue: '42' } }, { key: 'user.none', value: {} }],
    [text('user.email', '***'), text('user.age', '***'), text('user.none', '***')]
  ],
  [
    'of rules for whole values the first counts',
    [
      { keys: ['user.id'], action: 'mask' },
      { keys: ['user.*'], action: 'delete' }
    ],
    [text('user.id', '7'), text('user.name', 'Ann')],
    [text('user.id', '***')]
  ],
  [
    'a pattern masks what it finds, in every attribute',
    [{ values: CARD_PATTERN, action: 'mask' }],
    [text('note', `paid by ${CARD}, then ${CARD}`), text('id', `1${CARD}`)],
    [text('note', 'paid by ***, then ***'), text('id', `1${CARD}`)]
  ],
  [
    'a pattern with keys looks only there',
    [{ keys: ['note'], values: CARD_PATTERN, action: 'mask' }],
    [text('note', CARD), text('other', CARD)],
    [text('note', '***'), text('other', CARD)]
  ],
  [
    'a pattern with delete takes the attribute away',
    [{ values: CARD_PATTERN, action: 'delete' }],
    [text('note', `paid by ${CARD}`), text('other', 'cash')],
    [text('other', 'cash')]
  ],
  [
    'lists and maps are looked into, and maps by their keys',
    [
      { keys: ['password'], action: 'delete' },
      { values: CARD_PATTERN, action: 'mask' }
    ],
    [
      { key: 'args', value: { arrayValue: { values: [{ stringValue: CARD }, { intValue: '1' }] } } },
      { key: 'body', value: { kvlistValue: { values: [text('password', 'x'), text('card', CARD)] } } }
    ],
    [
      { key: 'args', value: { arrayValue: { values: [{ stringValue: '***' }, { intValue: '1' }] } } },
      { key: 'body', value: { kvlistValue: { values: [text('card', '***')] } } }
    ]
  ],
  [
    'a text that is not ASCII keeps what is around',
    [{ values: 'b+', action: 'mask' }],
    [text('note', 'äöü bbb 😀')],
    [text('note', 'äöü *** 😀')]
  ]
])('%s', (_, rules, attributes, expected) => {
  expect(left(rules, requestOf(attributes))).toMatchObject({ attributes: expected })
})

test('names of spans and events and messages of statuses are looked through by patterns without keys', () => {
  const more = {
    events: [{ timeUnixNano: '1', name: `charged ${CARD}`, attributes: [text('card', CARD)] }],
    status: { code: 2, message: `card ${CARD} refused` }
  }
  const document = requestOf([], `GET /cards/${CARD}`, more)
  expect(left([{ values: CARD_PATTERN, action: 'mask' }], document)).toMatchObject({
    name: 'GET /cards/***',
    events: [{ name: 'charged ***', attributes: [text('card', '***')] }],
    status: { code: 2, message: 'card *** refused' }
  })
  expect(left([{ values: CARD_PATTERN, action: 'delete' }], document)).toMatchObject({ name: 'GET /cards/' })
  expect(left([{ keys: ['card'], values: CARD_PATTERN, action: 'mask' }], document)).toMatchObject({
    name: `GET /cards/${CARD}`
  })
})

test('hashes are equal for equal values and one key, and differ for another', () => {
  const hashed = (hashKey: string, rules: object[], value: string): string => {
    const body = redaction(rules, hashKey).redact('traces', bytesOf(requestOf([text('card', value)])), 'json')
    return JSON.stringify(spanOf(JSON.parse(Buffer.from(body).toString())).attributes[0]?.value)
  }
  const whole = [{ keys: ['card'], action: 'hash' }]
  const found = [{ values: CARD_PATTERN, action: 'hash' }]
  expect(hashed('k', whole, CARD)).toMatch(/^{"stringValue":"hash:[0-9a-f]{32}"}$/)
  expect(hashed('k', found, CARD)).toBe(hashed('k', whole, CARD))
  expect(hashed('k', whole, CARD)).not.toBe(hashed('other', whole, CARD))
  expect(hashed('k', whole, CARD)).not.toBe(hashed('k', whole, '4111111111111112'))
  // Without a key nobody could make the same hashes, this process after a restart neither.
  expect(hashed('', whole, CARD)).not.toBe(hashed('', whole, CARD))
})

test('resources, scopes, links and every kind of metric point are redacted too', () => {
  const attributes = [text('secret', 'x')]
  const point = { timeUnixNano: '1', attributes, exemplars: [{ filteredAttributes: attributes }] }
  const kinds = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary']
  const metrics = kinds.map((kind) => ({ name: kind, metadata: attributes, [kind]: { dataPoints: [point] } }))
  const scope = { name: 'scope', attributes }
  const { redact } = redaction([{ keys: ['secret'], action: 'delete' }])
  const metricsLeft = redact(
    'metrics',
    bytesOf({ resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ scope, metrics }] }] }),
    'json'
  )
  const links = [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', attributes }]
  const spans = [{ name: 'a', links, attributes }]
  const tracesLeft = redact(
    'traces',
    jsonToProtobuf(bytesOf({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope, spans }] }] })),
    'protobuf'
  )
  expect(Buffer.from(metricsLeft).toString()).not.toContain('secret')
  expect(Buffer.from(tracesLeft).toString('latin1')).not.toContain('secret')
  expect(Buffer.from(metricsLeft).toString()).toContain('"name":"summary"')
})

test('a body with nothing to redact is given back as it came', () => {
  const { redact } = redaction([
    { keys: ['user.*'], action: 'delete' },
    { values: CARD_PATTERN, action: 'mask' }
  ])
  const body = jsonToProtobuf(bytesOf(requestOf([text('http.route', '/')])))
  expect(redact('traces', body, 'protobuf')).toBe(body)
})

test('what the table of OTLP does not know is left out, because nobody can say what it is', () => {
  const { redact } = redaction([{ keys: ['secret'], action: 'delete' }])
  const unknown = Buffer.concat([textField(99, 'a secret'), numberField(98, 7)])
  const span = Buffer.concat([textField(5, 'GET /'), unknown])
  const body = bytesField(1, bytesField(2, bytesField(2, span)))
  const expected = bytesField(
    1,
    bytesField(2, bytesField(2, Buffer.concat([textField(5, 'GET /'), numberField(98, 7)])))
  )
  expect(Buffer.from(redact('traces', body, 'protobuf'))).toEqual(expected)
  const document = { resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'GET /', novelty: 'a secret' }] }] }], more: 1 }
  expect(Buffer.from(redact('traces', bytesOf(document), 'json')).toString()).toBe(
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"GET /"}]}]}]}'
  )
})

test('what is nested too deep is masked', () => {
  let value: object = { stringValue: 'deep down' }
  for (let i = 0; i < 60; i++) value = { arrayValue: { values: [value] } }
  const document = requestOf([{ key: 'nest', value }])
  expect(JSON.stringify(left([{ values: 'nothing', action: 'mask' }], document))).not.toContain('deep down')
})

test.each([
  ['cut short', Buffer.from([0x0a, 0x05, 0x12])],
  ['a group', Buffer.from([0x0b])],
  ['an endless varint', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])]
])('bytes that cannot be redacted are refused: %s', (_, body) => {
  const { redact } = redaction([{ keys: ['a'], action: 'delete' }])
  expect(() => redact('traces', body, 'protobuf')).toThrow(Fault)
  expect(() => redact('traces', body, 'json')).toThrow(Fault)
})

test('a request may not be all edits', () => {
  const attribute = bytesField(9, textField(1, 'a'))
  const many = Buffer.concat(Array<Buffer>(500_001).fill(attribute))
  const { redact } = redaction([{ keys: ['a'], action: 'delete' }])
  const body = bytesField(1, bytesField(2, bytesField(2, many)))
  // An attribute without a value has nothing to redact.
  expect(redact('traces', body, 'protobuf')).toBe(body)
  const valued = Buffer.concat(
    Array<Buffer>(500_001).fill(bytesField(9, Buffer.concat([textField(1, 'a'), bytesField(2, textField(1, ''))])))
  )
  expect(() => redact('traces', bytesField(1, bytesField(2, bytesField(2, valued))), 'protobuf')).toThrow('500000')
})

test('what was done is counted by action', () => {
  const { redact, counters } = redaction([
    { keys: ['gone'], action: 'delete' },
    { keys: ['hashed'], action: 'hash' },
    { values: CARD_PATTERN, action: 'mask' }
  ])
  redact('traces', bytesOf(requestOf([text('gone', 'x'), text('hashed', 'x'), text('a', `${CARD} ${CARD}`)])), 'json')
  expect(counters.samples().map(({ labelValue, value }) => [labelValue, value])).toEqual([
    ['delete', 1],
    ['hash', 1],
    ['mask', 2]
  ])
})

test.each([
  ['neither keys nor values', { action: 'mask' }],
  ['a pattern that is none', { values: '(', action: 'mask' }],
  ['a pattern that only backtracking could match', { values: '(a)\\1', action: 'mask' }],
  ['an action that is none', { keys: ['a'], action: 'drop' }]
])('a rule with %s is refused', (_, rule) => {
  expect(redactionSection.safeParse({ rules: [rule] }).success).toBe(false)
})

// Whatever a request looks like, by either encoding the same is left, and no secret is.
test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  'seed %i: JSON and protobuf agree, and no secret is left',
  (seed) => {
    const random = createRandom(seed)
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
    const secret = (): string => `${pick(['', 'a ', 'ü'])}${CARD}${pick(['', ' z', '😀'])}`
    const plain = (): string => pick(['', 'x', 'y'.repeat(200), '/buy', '😀'])
    function value(depth: number): object {
      const kind = Math.floor(random() * (depth > 3 ? 4 : 6))
      if (kind === 0) return { stringValue: plain() }
      if (kind === 1) return { stringValue: secret() }
      if (kind === 2) return { intValue: String(Math.floor(random() * 1e9)) }
      if (kind === 3) return pick([{ boolValue: true }, { doubleValue: 0.5 }, { bytesValue: 'AQID' }, {}])
      if (kind === 4)
        return { arrayValue: { values: Array.from({ length: Math.floor(random() * 4) }, () => value(depth + 1)) } }
      return { kvlistValue: { values: attributes(depth + 1) } }
    }
    function attributes(depth = 0): Attributes {
      return Array.from({ length: Math.floor(random() * 5) }, () => ({
        key: pick(['password', 'card', 'user.name', 'http.route', 'k'.repeat(130)]),
        value: value(depth)
      }))
    }
    const span = (): object => ({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      name: pick([plain(), secret()]),
      attributes: attributes(),
      events: [{ timeUnixNano: '5', name: secret(), attributes: attributes() }],
      links: [{ traceId: '0af7651916cd43dd8448eb211c80319c', attributes: attributes() }],
      status: { message: secret(), code: 2 }
    })
    const document = {
      resourceSpans: Array.from({ length: 3 }, () => ({
        resource: { attributes: attributes() },
        scopeSpans: [{ scope: { name: 's', attributes: attributes() }, spans: [span(), span()] }]
      }))
    }
    const { redact } = redaction([
      { keys: ['password'], action: 'delete' },
      { keys: ['user.*'], action: 'mask' },
      { keys: ['card'], values: CARD_PATTERN, action: pick(['delete', 'hash', 'mask']) },
      { values: '[0-9]{16}', action: pick(['delete', 'hash', 'mask']) }
    ])
    const json = redact('traces', bytesOf(document), 'json')
    const protobuf = redact('traces', jsonToProtobuf(bytesOf(document)), 'protobuf')
    expect(Buffer.from(protobuf)).toEqual(jsonToProtobuf(json))
    for (const body of [json, protobuf]) {
      expect(Buffer.from(body).includes(CARD)).toBe(false)
      expect(Buffer.from(body).includes('password')).toBe(false)
    }
    // Done twice is done once.
    expect(redact('traces', protobuf, 'protobuf')).toEqual(protobuf)
  }
)
