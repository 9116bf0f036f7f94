/** Real OpenTelemetry SDKs of three languages send to the live service; each request must be counted, exactly. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type LiveService, scrapeUntil, startService } from '../builders/live-service.ts'
import { type Exposition } from '../builders/prometheus-text.ts'
import { createTally, type Tally } from '../builders/tally.ts'

const run = promisify(execFile)
const here = fileURLToPath(new URL('.', import.meta.url))

const REQUESTS = 1_000
const SPANS_PER_REQUEST = 2
const CLIENT_MS_MAX = 30_000
const BUILD_MS_MAX = 10 * 60_000
const COUNTED_MS_MAX = 30_000

interface Language {
  readonly name: string
  /** Command and first arguments of the client; throws an ENOENT where the toolchain is missing. */
  readonly build: (folder: string) => Promise<readonly [string, ...string[]]>
  readonly protocols: readonly string[]
  /** Also tried on the port meant for the other protocol. */
  readonly crossed: readonly string[]
}

const languages: readonly Language[] = [
  {
    name: 'js',
    build: () => Promise.resolve([process.execPath, join(here, 'js/client.ts')]),
    protocols: ['grpc', 'grpc-gzip', 'http', 'http-gzip', 'http-json', 'http-json-gzip'],
    crossed: ['grpc', 'http']
  },
  {
    name: 'go',
    async build(folder) {
      const program = join(folder, 'interop-go')
      await run('go', ['build', '-o', program, '.'], { cwd: join(here, 'go'), timeout: BUILD_MS_MAX })
      return [program]
    },
    protocols: ['grpc', 'grpc-gzip', 'http', 'http-gzip'],
    crossed: ['grpc']
  },
  {
    name: 'rust',
    async build() {
      await run('cargo', ['build', '--locked', '--quiet'], { cwd: join(here, 'rust'), timeout: BUILD_MS_MAX })
      return [join(here, 'rust/target/debug/interop')]
    },
    protocols: ['grpc', 'grpc-gzip', 'http', 'http-gzip', 'http-json'],
    crossed: ['grpc']
  }
]

interface Case {
  readonly name: string
  readonly protocol: string
  readonly crossed: boolean
}

const casesOf = (language: Language): Case[] => [
  ...language.protocols.map((protocol) => ({ name: `${language.name} ${protocol}`, protocol, crossed: false })),
  ...language.crossed.map((protocol) => ({ name: `${language.name} ${protocol} crossed`, protocol, crossed: true }))
]

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Builds a language's client and runs all its cases; returns those that said they had sent everything. */
async function sendAll(language: Language, service: LiveService, folder: string, tally: Tally): Promise<Case[]> {
  const cases = casesOf(language)
  let client: readonly [string, ...string[]]
  try {
    client = await language.build(folder)
  } catch (error) {
    const why = isMissing(error) ? `the ${language.name} toolchain is missing` : messageOf(error)
    for (const { name } of cases) {
      if (isMissing(error) && process.env['CI'] !== 'true') tally.skip(name, why)
      else tally.fail(name, why)
    }
    return []
  }
  const sent: Case[] = []
  for (const item of cases) {
    const toGrpcPort = item.protocol.startsWith('grpc') !== item.crossed
    const [command, ...first] = client
    const argv = [...first, item.protocol, toGrpcPort ? service.grpc : service.http, item.name, String(REQUESTS)]
    try {
      await run(command, argv, { timeout: CLIENT_MS_MAX })
      sent.push(item)
    } catch (error) {
      tally.fail(item.name, messageOf(error))
    }
  }
  return sent
}

const countOf = (exposition: Exposition, { name }: Case): number =>
  exposition.sum('tail_requests_total', { operation: name })

async function main(): Promise<void> {
  const tally = createTally()
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-interop-'))
  const service = await startService({ assemble: { quiet_time: '3s' }, expose: { zero_first: '0s' } })
  try {
    const sent: Case[] = []
    for (const language of languages) sent.push(...(await sendAll(language, service, folder, tally)))
    const allCounted = (exposition: Exposition): boolean => sent.every((item) => countOf(exposition, item) >= REQUESTS)
    const exposition = await scrapeUntil(service, allCounted, { forMs: COUNTED_MS_MAX })
    for (const item of sent) tally.equal(item.name, countOf(exposition, item), REQUESTS)
    const spans = exposition.sum('tail_spans_received_total')
    tally.equal('spans received from all of them', spans, sent.length * REQUESTS * SPANS_PER_REQUEST)
    tally.equal('spans rejected', exposition.sum('tail_spans_rejected_total'), 0)
    tally.equal('exit code after SIGTERM', await service.stop(), 0)
  } finally {
    await service.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  tally.close()
}

await main()
