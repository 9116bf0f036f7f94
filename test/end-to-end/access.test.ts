import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { credentials, Metadata } from '@grpc/grpc-js'
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace'
import { secretFolder, type SecretFolder } from '../builders/access-under-test.ts'
import { createAuthority, type Authority } from '../builders/certificates.ts'
import { tailspan } from '../builders/command.ts'
import { pause, projectFolder, startService, type LiveService } from '../builders/live-service.ts'
import { parsePrometheusText, type Exposition } from '../builders/prometheus-text.ts'

// Each test starts processes, on machines that may be busy.
jest.setTimeout(60_000)

const SENDER = 'token-of-the-senders'
const SCRAPER = 'token-of-prometheus'
const authorization = `Bearer ${SENDER}`

let folder: SecretFolder
let authority: Authority
let service: LiveService
beforeAll(async () => {
  folder = secretFolder()
  authority = createAuthority('the authority')
  folder.writeIdentity(authority.issue({ commonName: 'tailspan', alternatives: ['localhost', '127.0.0.1'] }))
  folder.write('senders', `shop: ${SENDER}`)
  folder.write('scrapers', `prometheus: ${SCRAPER}`)
  const tls = { cert_file: folder.path('tls.crt'), key_file: folder.path('tls.key') }
  service = await startService({
    accept: { tls },
    expose: { tls, zero_first: '0s' },
    access: {
      credentials: [
        { file: folder.path('senders'), may: ['send'] },
        { file: folder.path('scrapers'), may: ['read_metrics'] }
      ]
    },
    shutdown: { last_scrape_wait: '0s' }
  })
})
afterAll(async () => {
  expect(await service.stop()).toBe(0)
  folder.remove()
})

/** GET over TLS. */
async function get(path: string, token?: string): Promise<{ status: number; body: string; name: string }> {
  const [host = '', port = ''] = service.metrics.split(':')
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const asking = request({ host, port, path, headers, ca: authority.cert, agent: false }).end()
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  const name = answer.socket instanceof TLSSocket ? String(answer.socket.getPeerCertificate().subject.CN) : ''
  return { status: answer.statusCode ?? 0, body: await text(answer), name }
}

async function scrape(): Promise<Exposition> {
  return parsePrometheusText((await get('/metrics', SCRAPER)).body)
}

async function until(done: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 15_000
  while (!(await done()) && performance.now() < endMs) await pause(50)
}

async function exportSpan(exporter: SpanExporter): Promise<void> {
  const provider = new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] })
  provider.getTracer('access').startSpan('a span by a real SDK').end()
  await provider.shutdown()
}

test('real SDK exporters send over TLS with a token', async () => {
  const before = (await scrape()).sum('tail_spans_received_total')
  const headers = { authorization }
  const metadata = new Metadata()
  metadata.set('authorization', authorization)
  const ca = authority.cert
  const httpAgentOptions = { ca }
  const exporters = [
    new GrpcExporter({
      url: `https://${service.grpc}`,
      credentials: credentials.createSsl(Buffer.from(ca)),
      metadata
    }),
    new ProtobufExporter({ url: `https://${service.http}/v1/traces`, headers, httpAgentOptions }),
    new JsonExporter({ url: `https://${service.http}/v1/traces`, headers, httpAgentOptions })
  ]
  for (const exporter of exporters) await exportSpan(exporter)
  expect((await scrape()).sum('tail_spans_received_total') - before).toBe(3)
})

test('a real SDK exporter with a wrong token sends nothing, and the refusal is counted', async () => {
  const before = await scrape()
  const metadata = new Metadata()
  metadata.set('authorization', 'Bearer a-token-that-is-wrong')
  const url = `https://${service.grpc}`
  await exportSpan(
    new GrpcExporter({ url, credentials: credentials.createSsl(Buffer.from(authority.cert)), metadata })
  ).catch(() => undefined)
  const after = await scrape()
  const refused = (exposition: Exposition): number =>
    exposition.sum('tail_requests_refused_total', { reason: 'unauthenticated' })
  expect(refused(after) - refused(before)).toBe(1)
  expect(after.sum('tail_spans_received_total')).toBe(before.sum('tail_spans_received_total'))
})

test('rights hold on the port of the answers, and health is open', async () => {
  expect((await get('/healthz')).status).toBe(200)
  expect((await get('/metrics')).status).toBe(401)
  expect((await get('/metrics', SENDER)).status).toBe(403)
  expect((await get('/api/v1/operations', SCRAPER)).status).toBe(403)
})

test('SIGHUP puts a new certificate and new tokens in force; no secret is in the log', async () => {
  folder.writeIdentity(authority.issue({ commonName: 'renewed', alternatives: ['127.0.0.1'] }))
  folder.write('scrapers', `prometheus: ${SCRAPER}\nprometheus: the-next-token-of-it`)
  process.kill(service.pid, 'SIGHUP')
  await until(async () => (await get('/metrics', 'the-next-token-of-it')).name === 'renewed')
  const { status, name } = await get('/metrics', 'the-next-token-of-it')
  expect([status, name]).toEqual([200, 'renewed'])
  expect((await scrape()).sum('tail_access_reloads_total', { result: 'ok' })).toBe(3)
  for (const secret of [SENDER, SCRAPER, 'the-next-token-of-it', 'a-token-that-is-wrong']) {
    expect(service.output()).not.toContain(secret)
  }
})

test('what cannot be read at the start is told file by file, and nothing listens', async () => {
  const bad = secretFolder()
  try {
    bad.write('tokens', 'shop: short\n')
    const settings = {
      accept: { tls: { cert_file: bad.path('none.crt'), key_file: bad.path('none.key') } },
      access: { credentials: [{ file: bad.path('tokens'), may: ['send'] }] }
    }
    const { code, stderr } = await tailspan(['serve', '--config', bad.write('settings.yaml', JSON.stringify(settings))])
    expect(code).toBe(2)
    expect(stderr).toContain('none.crt: ')
    expect(stderr).toContain('tokens:1: a secret needs at least 16 characters')
    expect(stderr).not.toContain('short')
  } finally {
    bad.remove()
  }
})

test.each([
  [['hash-secret'], 'correct horse\n', /^\$scrypt\$ln=15,r=8,p=1\$\S+\$\S+\n$/],
  [['hash-secret', '--token'], `${SENDER}\n`, /^sha256:[0-9a-f]{64}\n$/]
])('%s prints a hash of what it reads', async (args, input, expected) => {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: projectFolder,
    stdio: ['pipe', 'pipe', 'inherit']
  })
  child.stdin.end(input)
  expect(await text(child.stdout)).toMatch(expected)
})
