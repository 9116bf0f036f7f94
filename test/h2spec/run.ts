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
/**
 * A refusal is answered at once, before the request has come (RFC 9113, 8.1), by Node as by us. Where two cores are busy, that answer
 * may overtake a frame of the case, which h2spec takes for a failure: one that is no matter of time fails each time.
 */
const TIMES_ASKED_AGAIN = 3

const goFolder = fileURLToPath(new URL('go', import.meta.url))
const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT'

async function build(folder: string): Promise<string> {
  const program = join(folder, 'h2spec')
  const target = 'github.com/summerwind/h2spec/cmd/h2spec'
  await run('go', ['build', '-o', program, target], { cwd: goFolder, timeout: BUILD_MS_MAX })
  return program
}

interface Asked {
  readonly program: string
  readonly port: number
  readonly folder: string
  /** Only the cases of this section of it, such as `http2/8.1`. */
  readonly section?: string
}

/** What each case said of the server at this port; undefined = it holds. */
async function casesOf({ program, port, folder, section }: Asked): Promise<Map<string, string | undefined>> {
  const report = join(folder, `report-${port}.xml`)
  const options = ['--host', '127.0.0.1', '--port', String(port), '--path', '/v1/traces', '--junit-report', report]
  const what = section === undefined ? [] : [section]
  // It ends with 1 where a case failed: the report tells more.
  await run(program, [...what, ...options, '--timeout', String(CASE_SECONDS_MAX)], { timeout: RUN_MS_MAX }).catch(
    (error: unknown) => {
      if (isMissing(error)) throw error
    }
  )
  return readReport(readFileSync(report, 'utf8'))
}

/** Whether a case that failed holds in any of the times that its section is asked again. */
async function holdsLater(name: string, asked: Asked): Promise<boolean> {
  const section = name.slice(0, name.indexOf(':'))
  for (let time = 0; time < TIMES_ASKED_AGAIN; time += 1) {
    const cases = await casesOf({ ...asked, section })
    if (cases.has(name) && cases.get(name) === undefined) return true
  }
  return false
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
    const asked = { program, folder, port: Number(service.grpc.split(':')[1]) }
    const ofNode = await casesOf({ ...asked, port: bare.port })
    const ours = await casesOf(asked)
    tally.check(
      'both were asked the same',
      ours.size > 100 && ours.size === ofNode.size,
      `${ours.size}, ${ofNode.size}`
    )
    for (const [name, failure] of ours) {
      if (failure === undefined) tally.pass(name)
      else if (ofNode.get(name) !== undefined) tally.pass(`${name} (fails, as Node itself does: ${failure})`)
      else if (await holdsLater(name, asked)) tally.pass(`${name} (holds when asked again; at first: ${failure})`)
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
