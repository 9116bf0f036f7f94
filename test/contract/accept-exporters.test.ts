import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { Client, compressionAlgorithms, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js'
import { diag, DiagLogLevel, type DiagLogger } from '@opentelemetry/api'
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace'
import { startAcceptor, type Harness } from '../unit/accept/acceptor-under-test.ts'
import { tracesMethod } from '../builders/raw-http2.ts'
import { readStatus } from '../unit/accept/status-oracle.ts'

let harness: Harness
beforeAll(async () => {
  harness = await startAcceptor({ requestBytesMax: 1_000_000 })
})
afterAll(() => harness.acceptor.close(200))
beforeEach(() => {
  harness.taken.length = 0
  harness.verdict = { rejected: 0, message: '' }
  harness.pressure = undefined
})
afterEach(() => {
  diag.disable()
  delete process.env['OTEL_EXPORTER_OTLP_COMPRESSION']
})

const exporters: Readonly<Record<string, (address: string) => SpanExporter>> = {
  grpc: (address) => new GrpcExporter({ url: address }),
  'http/protobuf': (address) => new ProtobufExporter({ url: `${address}/v1/traces` }),
  'http/json': (address) => new JsonExporter({ url: `${address}/v1/traces` })
}

/** Sends one span by a real SDK and gives what the SDK had to say about it. */
async function exportSpan(create: (address: string) => SpanExporter, port: number): Promise<string> {
  const said: string[] = []
  const say = (...parts: unknown[]): void => {
    said.push(parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' '))
  }
  const logger: DiagLogger = {
    error: say,
    warn: say,
    info: () => undefined,
    debug: () => undefined,
    verbose: () => undefined
  }
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  const exporter = create(`http://127.0.0.1:${port}`)
  const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] })
  provider.getTracer('contract').startSpan('a span by a real SDK').end()
  await provider.shutdown()
  return said.join('\n')
}

for (const [protocol, create] of Object.entries(exporters)) {
  for (const compression of ['none', 'gzip']) {
    test(`the SDK’s ${protocol} exporter with compression ${compression} succeeds on both ports`, async () => {
      process.env['OTEL_EXPORTER_OTLP_COMPRESSION'] = compression
      for (const port of [harness.grpcPort, harness.httpPort]) {
        harness.taken.length = 0
        expect(await exportSpan(create, port)).toBe('')
        expect(harness.taken.map(({ signal }) => signal)).toEqual(['traces'])
        expect(harness.taken[0]?.body.includes('a span by a real SDK')).toBe(true)
      }
    })
  }

  test(`the SDK’s ${protocol} exporter reads partial success`, async () => {
    harness.verdict = { rejected: 1, message: 'its id is all zero' }
    const said = await exportSpan(create, harness.httpPort)
    expect(said).toContain('its id is all zero')
    expect(harness.taken).toHaveLength(1)
  })
}

interface Called {
  readonly error: ServiceError | null
  readonly answer: Buffer | undefined
}

function call(message: Buffer, gzip: boolean, timeoutMs = 5000): Promise<Called> {
  const options = gzip ? { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip } : {}
  const client = new Client(`127.0.0.1:${harness.grpcPort}`, credentials.createInsecure(), options)
  const same = (bytes: Buffer): Buffer => bytes
  return new Promise((resolve) => {
    const deadline = Date.now() + timeoutMs
    client.makeUnaryRequest(tracesMethod, same, same, message, new Metadata(), { deadline }, (error, answer) => {
      client.close()
      resolve({ error, answer })
    })
  })
}

for (const gzip of [false, true]) {
  test(`the grpc-js client is answered, ${gzip ? 'gzip' : 'identity'}`, async () => {
    const message = Buffer.alloc(500_000, 'abcdefgh')
    const { error, answer } = await call(message, gzip)
    expect(error).toBeNull()
    expect(answer).toHaveLength(0)
    expect(harness.taken[0]?.body.equals(message)).toBe(true)
  })
}

test('the grpc-js client sees UNAVAILABLE with RetryInfo before its message was read', async () => {
  harness.pressure = { cause: 'resident', retryAfterMs: 2000 }
  const { error } = await call(Buffer.alloc(900_000), false)
  expect(error?.code).toBe(status.UNAVAILABLE)
  const [details] = error?.metadata.get('grpc-status-details-bin') ?? []
  expect(readStatus(details as Buffer, 'application/x-protobuf').retryMs).toBe(2500)
})

test('the grpc-js client sees RESOURCE_EXHAUSTED for a message over the limit', async () => {
  const { error } = await call(Buffer.alloc(3_000_000), false)
  expect(error?.code).toBe(status.RESOURCE_EXHAUSTED)
  expect(error?.details).toContain('request_bytes_max')
})
