/**
 * A real OpenTelemetry Collector sends through Tailspan to another one with its file exporter: over gRPC and HTTP, with TLS
 * and tokens, while one of the three is restarted. Every span arrives once, with what Tailspan adds. Needs Go.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { secretFolder, type SecretFolder } from '../builders/access-under-test.ts'
import { createAuthority } from '../builders/certificates.ts'
import { pause, startService, type LiveService, type SettingsFile } from '../builders/live-service.ts'
import { bytesField, numberField } from '../builders/protobuf-bytes.ts'
import { createTally, type Tally } from '../builders/tally.ts'
import { spanBytes, traceBody } from '../torture/senders/bodies.ts'
import { post } from '../torture/senders/single.ts'
import { buildCollector, freePorts, startCollector, type Collector } from './collector.ts'
import { writtenSpans, type WrittenSpan } from './written-spans.ts'

const BODIES = 120
const TRACES_PER_BODY = 10
const CHILDREN = 3
const BODY_EVERY_MS = 25
const RESTART_AFTER_BODIES = 40
const RETRY_MS = 100
const ARRIVED_MS_MAX = 45_000
const SERVER = 2
const INTERNAL = 1
/** To begin with, and at most; for as long as it takes. */
const retry = { enabled: true, initial_interval: '200ms', max_interval: '1s', max_elapsed_time: '0s' }

const protocols = ['grpc', 'http'] as const
type Protocol = (typeof protocols)[number]
const members = ['edge', 'tailspan', 'backend'] as const
type Member = (typeof members)[number]

interface Chain {
  readonly edgeAddress: string
  readonly written: string
  readonly restart: (member: Member) => Promise<void>
  readonly stop: () => Promise<void>
}

interface Ports {
  readonly edge: number
  readonly tailspan: number
  readonly other: number
  readonly backend: number
}

/** edge Collector -> Tailspan -> backend Collector -> file; each hop with TLS and a token of its own. */
async function startChain(program: string, secrets: SecretFolder, protocol: Protocol, name: string): Promise<Chain> {
  const folder = secrets.path(name)
  mkdirSync(folder)
  const [edge = 0, tailspan = 0, other = 0, backend = 0] = await freePorts(4)
  const ports = { edge, tailspan, other, backend }
  const written = join(folder, 'spans.jsonl')
  const config = (member: string): string => join(folder, `${member}.yaml`)
  const behind = await startCollector(
    program,
    config('backend'),
    backendConfig(secrets, protocol, ports, written),
    backend
  )
  const settings = tailspanSettings(secrets, protocol, ports)
  let service: LiveService = await startService(settings)
  const before = await startCollector(program, config('edge'), edgeConfig(secrets, protocol, ports), edge)
  const collectors: Readonly<Record<'edge' | 'backend', Collector>> = { edge: before, backend: behind }
  return {
    edgeAddress: `127.0.0.1:${edge}`,
    written,
    async restart(member) {
      if (member !== 'tailspan') {
        await collectors[member].restart()
        return
      }
      await service.stop()
      service = await startService(settings)
    },
    async stop() {
      await before.stop()
      await service.stop()
      await behind.stop()
    }
  }
}

function backendConfig(secrets: SecretFolder, protocol: Protocol, { backend }: Ports, written: string): object {
  const tls = { cert_file: secrets.path('tls.crt'), key_file: secrets.path('tls.key') }
  const listener = { endpoint: `127.0.0.1:${backend}`, tls, auth: { authenticator: 'bearertokenauth' } }
  return {
    extensions: { bearertokenauth: { filename: secrets.path('backend-token') } },
    receivers: { otlp: { protocols: { [protocol]: listener } } },
    exporters: { file: { path: written, append: true, flush_interval: '200ms' } },
    service: {
      extensions: ['bearertokenauth'],
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['file'] } }
    }
  }
}

function tailspanSettings(secrets: SecretFolder, protocol: Protocol, ports: Ports): SettingsFile {
  const tls = { cert_file: secrets.path('tls.crt'), key_file: secrets.path('tls.key') }
  const [grpcPort, httpPort] = protocol === 'grpc' ? [ports.tailspan, ports.other] : [ports.other, ports.tailspan]
  return {
    accept: { grpc_port: grpcPort, http_port: httpPort, tls },
    access: { credentials: [{ file: secrets.path('senders'), may: ['send'] }], anonymous: ['read_metrics'] },
    assemble: { quiet_time: '1s' },
    expose: { zero_first: '0s' },
    shutdown: { last_scrape_wait: '0s' },
    forward: {
      destinations: [
        {
          name: 'backend',
          endpoint: `https://127.0.0.1:${ports.backend}`,
          protocol,
          send: 'all',
          headers_from_files: { authorization: secrets.path('backend-authorization') },
          tls: { ca_file: secrets.path('ca.crt') },
          retry: { initial: '100ms', max: '1s', give_up_after: '5m' }
        }
      ],
      batch_delay: '200ms'
    }
  }
}

function edgeConfig(secrets: SecretFolder, protocol: Protocol, { edge, tailspan }: Ports): object {
  const hop = {
    tls: { ca_file: secrets.path('ca.crt') },
    auth: { authenticator: 'bearertokenauth' },
    retry_on_failure: retry,
    sending_queue: { enabled: true }
  }
  const exporter = protocol === 'grpc' ? 'otlp' : 'otlphttp'
  const scheme = protocol === 'grpc' ? '' : 'https://'
  return {
    extensions: { bearertokenauth: { filename: secrets.path('sender-token') } },
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${edge}` } } } },
    processors: { batch: { timeout: '100ms' } },
    exporters: { [exporter]: { endpoint: `${scheme}127.0.0.1:${tailspan}`, ...hop } },
    service: {
      extensions: ['bearertokenauth'],
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], processors: ['batch'], exporters: [exporter] } }
    }
  }
}

/** One request each: a SERVER span and a few children. Enters the ids in the books. */
function bodyOfTraces(sent: Set<string>): Buffer {
  const spans = Array.from({ length: TRACES_PER_BODY }, () => {
    const traceId = randomBytes(16)
    const root = randomBytes(8)
    const ids = [root, ...Array.from({ length: CHILDREN }, () => randomBytes(8))]
    for (const id of ids) sent.add(id.toString('hex'))
    return ids.map((spanId, i) => {
      // Of a field that comes twice the last counts.
      const more = i === 0 ? Buffer.alloc(0) : Buffer.concat([bytesField(4, root), numberField(6, INTERNAL)])
      return spanBytes({ name: i === 0 ? 'GET /chain' : `step ${i}`, traceId, spanId, more })
    })
  })
  return traceBody('chain', spans.flat())
}

/** Sends as an SDK does: what was not acknowledged is sent again. Restarts the member on the way. */
async function sendThrough(chain: Chain, restarted: Member, sent: Set<string>): Promise<void> {
  let restarting: Promise<void> | undefined
  for (let body = 0; body < BODIES; body++) {
    if (body === RESTART_AFTER_BODIES) restarting = chain.restart(restarted)
    const bytes = bodyOfTraces(sent)
    while ((await post(chain.edgeAddress, bytes).catch(() => ({ status: 0 }))).status !== 200) await pause(RETRY_MS)
    await pause(BODY_EVERY_MS)
  }
  await restarting
}

async function arrivedSpans(chain: Chain, expected: number): Promise<WrittenSpan[]> {
  const endMs = performance.now() + ARRIVED_MS_MAX
  for (;;) {
    const spans = writtenSpans(chain.written)
    if (spans.length >= expected || performance.now() > endMs) return spans
    await pause(250)
  }
}

function judge(name: string, sent: ReadonlySet<string>, arrived: readonly WrittenSpan[], tally: Tally): void {
  const ids = new Set(arrived.map(({ id }) => id))
  const missing = [...sent].filter((id) => !ids.has(id)).length
  const strange = [...ids].filter((id) => !sent.has(id)).length
  tally.check(
    `${name}: all of ${sent.size} spans arrived`,
    missing === 0 && strange === 0,
    `${missing} are missing, ${strange} are not ours`
  )
  tally.check(`${name}: none arrived twice`, arrived.length === ids.size, `${arrived.length - ids.size} did`)
  const requests = arrived.filter(({ kind }) => kind === SERVER)
  const bare = requests.filter(({ keys }) => !isEnriched(keys)).length
  tally.check(
    `${name}: ${requests.length} requests have their phases`,
    requests.length > 0 && bare === 0,
    `${bare} of ${requests.length} have none`
  )
}

const isEnriched = (keys: readonly string[]): boolean =>
  keys.includes('tailspan.dominant_phase') && keys.some((key) => key.startsWith('tailspan.phase.'))

function writeSecrets(secrets: SecretFolder): void {
  const authority = createAuthority('the authority of the chain')
  const [sender, backend] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')]
  secrets.write('ca.crt', authority.cert)
  secrets.writeIdentity(authority.issue({ commonName: 'chain', alternatives: ['localhost', '127.0.0.1'] }))
  secrets.write('senders', `edge: ${sender}`)
  secrets.write('sender-token', sender)
  secrets.write('backend-token', backend)
  secrets.write('backend-authorization', `Bearer ${backend}`)
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

async function main(): Promise<void> {
  const tally = createTally()
  const secrets = secretFolder()
  const program = secrets.path('collector')
  try {
    await buildCollector(program)
    writeSecrets(secrets)
    for (const protocol of protocols) {
      for (const restarted of members) {
        const name = `${protocol}, ${restarted} restarted`
        const chain = await startChain(program, secrets, protocol, name)
        try {
          const sent = new Set<string>()
          await sendThrough(chain, restarted, sent)
          judge(name, sent, await arrivedSpans(chain, sent.size), tally)
        } finally {
          await chain.stop()
        }
      }
    }
  } catch (error) {
    if (!isMissing(error) || process.env['CI'] === 'true') throw error
    tally.skip('the Collector chain', 'Go is missing, which builds the Collector')
  } finally {
    secrets.remove()
  }
  tally.close()
}

await main()
