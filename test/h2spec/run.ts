/**
 * h2spec, the conformance test of HTTP/2 (RFC 7540 and 7541, v2.2.1), against the OTLP port, and against a server of bare
 * node:http2: what fails here and not there is ours. Needs Go, which builds it from the module proxy.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http2'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startService } from '../builders/live-service.ts'
import { createTally } from '../builders/tally.ts'
import { readReport } from './report.ts'

const run = promisify(execFile)
const BUILD_MS_MAX = 10 * 60_000
const RUN_MS_MAX = 5 * 60_000
const CASE_SECONDS_MAX = 5

const goFolder = fileURLToPath(new URL('go', import.meta.url))
const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

async function build(folder: string): Promise<string> {
  const program = join(folder, 'h2spec')
  const target = 'github.com/summerwind/h2spec/cmd/h2spec'
  await run('go', ['build', '-o', program, target], { cwd: goFolder, timeout: BUILD_MS_MAX })
  return program
}

/** What each case said of the server at this port; undefined = it holds. */
async function casesOf(program: string, port: number, folder: string): Promise<Map<string, string | undefined>> {
  const report = join(folder, `report-${port}.xml`)
  const options = ['--host', '127.0.0.1', '--port', String(port), '--path', '/v1/traces', '--junit-report', report]
  // It ends with 1 where a case failed: the report tells more.
  await run(program, [...options, '--timeout', String(CASE_SECONDS_MAX)], { timeout: RUN_MS_MAX }).catch(
    (error: unknown) => {
      if (isMissing(error)) throw error
    }
  )
  return readReport(readFileSync(report, 'utf8'))
}

/** What Node makes of HTTP/2 by itself. */
async function bareServer(): Promise<{ port: number; close: () => void }> {
  const server = createServer()
  server.on('session', (session) => session.on('error', () => undefined))
  server.on('stream', (stream) => {
    stream.on('error', () => undefined)
    stream.respond({ ':status': 404, 'content-type': 'text/plain' })
    stream.end('nothing here')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

async function main(): Promise<void> {
  const tally = createTally()
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-h2spec-'))
  const service = await startService()
  const bare = await bareServer()
  try {
    const program = await build(folder)
    const ofNode = await casesOf(program, bare.port, folder)
    const ours = await casesOf(program, Number(service.grpc.split(':')[1]), folder)
    tally.check(
      'both were asked the same',
      ours.size > 100 && ours.size === ofNode.size,
      `${ours.size}, ${ofNode.size}`
    )
    for (const [name, failure] of ours) {
      if (failure === undefined) tally.pass(name)
      else if (ofNode.get(name) !== undefined) tally.pass(`${name} (fails, as Node itself does: ${failure})`)
      else tally.fail(name, failure)
    }
    tally.equal('exit code after SIGTERM', await service.stop(), 0)
  } catch (error) {
    if (!isMissing(error) || process.env['CI'] === 'true') throw error
    tally.skip('h2spec', 'Go is missing, which builds it')
  } finally {
    bare.close()
    await service.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  tally.close()
}

await main()
