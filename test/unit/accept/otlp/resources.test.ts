import { expect, test } from '@jest/globals'
import { createResources, createSpanDecoder, OVERFLOW_ROW, type Sender } from '../../../../src/accept/otlp/index.ts'
import { createStrings, OTHER_ID } from '../../../../src/runtime/strings.ts'
import { encodeTraces, int, text, toJson, type KeyValue } from './otlp-messages.ts'
import { createBench, rowsOf, type SpanRow } from './span-rows.ts'

const strings = createStrings({ stringsMax: 1000, bytesMax: 1 << 16, stringBytesMax: 200, seed: 3 })

function sender(service: number, changes: Partial<Sender> = {}): Sender {
  return { service, process: 0, host: 0, version: 0, language: 0, ...changes }
}

test('one row per distinct sender', () => {
  const resources = createResources(strings, { resourcesMax: 1000 })
  const senders = [sender(2), sender(3), sender(2, { process: 3 }), sender(2, { host: 3 }), sender(2, { version: 3 })]
  senders.push(sender(2, { language: 2 }))
  const rows = senders.map((one) => resources.rowOf(one))
  expect(new Set(rows).size).toBe(senders.length)
  expect(senders.map((one) => resources.rowOf({ ...one }))).toEqual(rows)
})

test('rows stay apart while the table grows, and hold what they were given', () => {
  const resources = createResources(strings, { resourcesMax: 10_000 })
  const rows = Array.from({ length: 5000 }, (_, i) => resources.rowOf(sender(i + 2, { process: i % 7 })))
  expect(new Set(rows).size).toBe(5000)
  rows.forEach((row, i) => {
    expect(resources.service[row]).toBe(i + 2)
    expect(resources.process[row]).toBe(i % 7)
  })
  expect(resources.rowOf(sender(2000, { process: 1998 % 7 }))).toBe(rows[1998])
})

test('senders beyond the limit share the overflow row, counted', () => {
  const resources = createResources(strings, { resourcesMax: 3 })
  expect([2, 3, 4, 5, 6].map((service) => resources.rowOf(sender(service)))).toEqual([
    1,
    2,
    3,
    OVERFLOW_ROW,
    OVERFLOW_ROW
  ])
  expect(resources.overflowed()).toBe(2)
  expect(resources.fullness()).toBe(1)
  expect(resources.service[OVERFLOW_ROW]).toBe(OTHER_ID)
})

test('a sweep frees unmarked rows for others and leaves the marked ones where they are', () => {
  const resources = createResources(strings, { resourcesMax: 3 })
  const [first, second, third] = [2, 3, 4].map((service) => resources.rowOf(sender(service)))
  const marked = new Uint8Array(resources.rows)
  marked[second as number] = 1
  resources.sweep(marked)
  expect(resources.rowOf(sender(3))).toBe(second)
  expect(new Set([resources.rowOf(sender(7)), resources.rowOf(sender(8))])).toEqual(new Set([first, third]))
  expect(resources.rowOf(sender(9))).toBe(OVERFLOW_ROW)
})

test('live rows mark their strings', () => {
  const resources = createResources(strings, { resourcesMax: 3 })
  resources.rowOf(sender(5, { process: 6, host: 7, version: 8 }))
  const marks = new Uint8Array(10)
  resources.mark(marks)
  expect([...marks]).toEqual([1, 1, 0, 0, 0, 1, 1, 1, 1, 0])
  resources.sweep(new Uint8Array(2))
  marks.fill(0)
  resources.mark(marks)
  expect([...marks]).toEqual([1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
})

function senderOf(...attributes: KeyValue[]): SpanRow {
  const bench = createBench()
  const span = {
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(1),
    startTimeUnixNano: '1',
    endTimeUnixNano: '2'
  }
  bench.decoder.decodeProtobuf(
    encodeTraces({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] }),
    NaN
  )
  return rowsOf(bench)[0] as SpanRow
}

const name = text('service.name', 'cart')
const chain: [identity: string, attributes: KeyValue[]][] = [
  ['', []],
  ['', [int('process.pid', 7)]],
  ['', [text('host.name', 'node-1')]],
  ['pid:node-1/7', [text('host.name', 'node-1'), int('process.pid', 7)]],
  ['pid:id-1/7', [text('host.id', 'id-1'), text('host.name', 'node-1'), int('process.pid', 7)]],
  ['container:c1', [text('container.id', 'c1'), text('host.name', 'node-1'), int('process.pid', 7)]],
  ['pod:/p1', [text('k8s.pod.name', 'p1'), text('container.id', 'c1')]],
  ['pod:ns/p1/app', [text('k8s.pod.name', 'p1'), text('k8s.namespace.name', 'ns'), text('k8s.container.name', 'app')]],
  ['uid:u1', [text('k8s.pod.uid', 'u1'), text('k8s.pod.name', 'p1')]],
  ['uid:u1/app', [text('k8s.pod.uid', 'u1'), text('k8s.container.name', 'app')]],
  ['instance:cart/i1', [text('service.instance.id', 'i1'), text('k8s.pod.uid', 'u1')]]
]

test.each(chain)('the process is %p by %j', (identity, attributes) => {
  expect(senderOf(name, ...attributes).process).toBe(identity)
})

test('a service has its namespace before it, and a name even without one', () => {
  expect(senderOf(name, text('service.namespace', 'shop')).service).toBe('shop/cart')
  expect(senderOf(name).service).toBe('cart')
  expect(senderOf().service).toBe('unknown_service')
  expect(senderOf(text('service.name', '')).service).toBe('unknown_service')
})

test('the host is host.id, else host.name, else the node', () => {
  const node = text('k8s.node.name', 'n')
  expect(senderOf(node).host).toBe('n')
  expect(senderOf(node, text('host.name', 'h')).host).toBe('h')
  expect(senderOf(node, text('host.name', 'h'), text('host.id', 'i')).host).toBe('i')
  expect(senderOf().host).toBe('')
})

test('the language is the SDK’s, else that of a Go runtime', () => {
  expect(senderOf(text('telemetry.sdk.language', 'go')).language).toBe('go')
  expect(senderOf(text('telemetry.sdk.language', 'rust')).language).toBe('rust')
  expect(senderOf(text('telemetry.sdk.language', 'java')).language).toBe('other')
  expect(senderOf(text('process.runtime.name', 'go')).language).toBe('go')
  expect(senderOf(text('process.runtime.version', 'go1.25.1')).language).toBe('go')
  expect(senderOf(text('process.runtime.name', 'node')).language).toBe('unknown')
})

test('a resource that does not name its language is known by what its spans carry, and by nobody else’s', () => {
  const bench = createBench()
  const span = (attributes: KeyValue[] = []) => ({
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(1),
    startTimeUnixNano: '1',
    endTimeUnixNano: '2',
    attributes
  })
  const of = (scope: string, attributes: KeyValue[], resource: KeyValue[] = []) => ({
    resource: { attributes: [name, ...resource] },
    scopeSpans: [{ scope: { name: scope }, spans: [span(attributes)] }]
  })
  const request = {
    resourceSpans: [
      of('my-tracer', [int('busy_ns', 5)]),
      of('my-tracer', []),
      of('go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp', []),
      of('my-tracer', [int('busy_ns', 5)], [text('telemetry.sdk.language', 'java')])
    ]
  }
  for (const decode of [
    () => bench.decoder.decodeProtobuf(encodeTraces(request), NaN),
    () => bench.decoder.decodeJson(toJson(request), NaN)
  ]) {
    expect(decode().rejected).toBe(0)
    expect(rowsOf(bench).map(({ language }) => language)).toEqual(['rust', 'unknown', 'go', 'other'])
  }
})

test('every identity that a resource has stands for its process; one that several have stands for none', () => {
  const table = createResources(strings, { resourcesMax: 1000 })
  const decoder = createSpanDecoder({ strings, resources: table, wants: [] })
  const send = (...attributes: KeyValue[]): void => {
    const span = {
      traceId: new Uint8Array(16).fill(1),
      spanId: new Uint8Array(8).fill(1),
      startTimeUnixNano: '1',
      endTimeUnixNano: '2'
    }
    decoder.decodeProtobuf(
      encodeTraces({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] }),
      NaN
    )
  }
  const processOf = (identity: string): string => strings.text(table.processAlias(strings.internText(identity)))
  const pod = [text('k8s.pod.uid', 'u1'), text('k8s.container.name', 'app'), text('container.id', 'c1')]
  send(name, text('service.instance.id', 'i1'), ...pod, text('host.name', 'n1'), int('process.pid', 7))
  for (const identity of ['uid:u1/app', 'uid:u1', 'container:c1', 'pid:n1/7', 'instance:cart/i1']) {
    expect(processOf(identity)).toBe('instance:cart/i1')
  }
  expect(processOf('container:c2')).toBe('container:c2')
  // Restarted in its pod: the pod's identity passes on. Back and forth: two processes share it.
  send(name, text('service.instance.id', 'i2'), ...pod)
  expect(processOf('uid:u1')).toBe('instance:cart/i2')
  send(name, text('service.instance.id', 'i1'), ...pod)
  expect(processOf('uid:u1')).toBe('')
  table.sweep(new Uint8Array(table.rows))
  expect(processOf('uid:u1')).toBe('uid:u1')
})
