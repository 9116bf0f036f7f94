import { expect, test } from '@jest/globals'
import { encodeTraces, int, text, toJson, type EventMessage, type KeyValue, type SpanMessage } from './otlp-messages.ts'
import { createBench, rowsOf } from './span-rows.ts'

const SERVER = 2
const CLIENT = 3

function exception(type: string): EventMessage[] {
  return [{ name: 'exception', timeUnixNano: '2', attributes: [text('exception.type', type)] }]
}

const failed = { status: { code: 2 } }
const cases: [outcome: string, why: string, attributes: KeyValue[], changes?: SpanMessage][] = [
  ['ok', 'nothing is said', []],
  ['ok', 'the status is unset', [], { status: {} }],
  ['ok', 'the status is OK', [], { status: { code: 1 } }],
  ['error', 'the status is ERROR', [], failed],
  ['ok', 'HTTP 200', [int('http.response.status_code', 200)]],
  ['ok', 'HTTP 404 on a server', [int('http.response.status_code', 404)], { kind: SERVER }],
  [
    'error',
    'HTTP 404 and status ERROR on a client',
    [int('http.response.status_code', 404)],
    { kind: CLIENT, ...failed }
  ],
  ['error', 'HTTP 500', [int('http.response.status_code', 500)]],
  ['error', 'old HTTP 503', [int('http.status_code', 503)]],
  ['error', 'HTTP 503 as text', [text('http.status_code', '503')]],
  ['timeout', 'HTTP 408', [int('http.response.status_code', 408)]],
  ['timeout', 'HTTP 499', [int('http.response.status_code', 499)]],
  ['timeout', 'HTTP 504', [int('http.response.status_code', 504)]],
  ['ok', 'gRPC OK', [int('rpc.grpc.status_code', 0)]],
  ['timeout', 'gRPC CANCELLED', [int('rpc.grpc.status_code', 1)]],
  ['error', 'gRPC UNKNOWN', [int('rpc.grpc.status_code', 2)]],
  ['ok', 'gRPC INVALID_ARGUMENT', [int('rpc.grpc.status_code', 3)]],
  ['timeout', 'gRPC DEADLINE_EXCEEDED', [int('rpc.grpc.status_code', 4)]],
  ['ok', 'gRPC NOT_FOUND', [int('rpc.grpc.status_code', 5)]],
  ['error', 'gRPC INTERNAL', [int('rpc.grpc.status_code', 13)]],
  ['error', 'gRPC UNAVAILABLE', [int('rpc.grpc.status_code', 14)]],
  ['ok', 'RPC OK', [text('rpc.response.status_code', 'OK')]],
  ['timeout', 'RPC DEADLINE_EXCEEDED', [text('rpc.response.status_code', 'DEADLINE_EXCEEDED')]],
  ['timeout', 'RPC CANCELLED', [text('rpc.response.status_code', 'CANCELLED')]],
  ['timeout', 'Connect canceled', [text('rpc.response.status_code', 'canceled')]],
  ['error', 'RPC INTERNAL', [text('rpc.response.status_code', 'INTERNAL')]],
  ['error', 'Connect unavailable', [text('rpc.response.status_code', 'unavailable')]],
  ['ok', 'JSON-RPC -32602', [text('rpc.response.status_code', '-32602')]],
  ['timeout', 'error.type timeout', [text('error.type', 'timeout')]],
  ['timeout', 'error.type of Go', [text('error.type', 'context.deadlineExceededError')], failed],
  ['timeout', 'error.type ETIMEDOUT', [text('error.type', 'ETIMEDOUT')], failed],
  ['error', 'another error.type', [text('error.type', '*errors.errorString')], failed],
  ['timeout', 'a status message of Go', [], { status: { code: 2, message: 'Get "x": context canceled' } }],
  ['ok', 'a message without a failure', [], { status: { code: 1, message: 'deadline kept' } }],
  [
    'timeout',
    'an exception that failed the span',
    [],
    { ...failed, events: exception('java.net.SocketTimeoutException') }
  ],
  ['error', 'an exception of another kind', [], { ...failed, events: exception('ValueError') }],
  ['ok', 'an exception that was caught', [], { events: exception('TimeoutError') }]
]

test.each(cases)('the outcome is %s because of %s', (outcome, _, attributes, changes = {}) => {
  const bench = createBench()
  const span = {
    traceId: new Uint8Array(16).fill(1),
    spanId: new Uint8Array(8).fill(1),
    startTimeUnixNano: '1',
    endTimeUnixNano: '2',
    attributes,
    ...changes
  }
  const message = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
  bench.decoder.decodeProtobuf(encodeTraces(message), NaN)
  expect(rowsOf(bench)[0]?.outcome).toBe(outcome)
  bench.decoder.decodeJson(toJson(message), NaN)
  expect(rowsOf(bench)[0]?.outcome).toBe(outcome)
})
