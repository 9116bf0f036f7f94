import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from '@jest/globals'

const READY_MS_MAX = 30_000
const POLL_MS = 100

type Run = (name: string, work: () => Promise<void>) => void

/** `test` where the programs are installed. Elsewhere a skip that says why, and on CI a failure. */
export function testWith(...programs: readonly string[]): Run {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined)
  if (missing.length === 0) return test
  const reason = `${missing.join(' and ')} not found: run test/prometheus/install.sh`
  if (process.env['CI'] !== 'true') {
    // Jest says nothing of a file whose tests are all skipped, nor what such a file logs.
    return (name, work) => {
      process.stderr.write(`SKIPPED, ${reason}: ${name}\n`)
      test.skip(name, work)
    }
  }
  return (name) => {
    test(name, () => {
      throw new Error(reason)
    })
  }
}

export interface Prometheus {
  /** The answer of its HTTP API. */
  readonly api: (path: string, parameters: Readonly<Record<string, string>>) => Promise<unknown>
  /** Values of an instant query, with their labels. */
  readonly query: (expression: string) => Promise<readonly Found[]>
  /** Asks until the expression finds something. */
  readonly waitFor: (expression: string) => Promise<readonly Found[]>
  /** Warnings and errors it wrote. */
  readonly complaints: () => string
  readonly stop: () => Promise<void>
}

export interface Found {
  readonly metric: Readonly<Record<string, string>>
  /** Time and value; a native histogram has none. */
  readonly value?: readonly [number, string]
}

/** A Prometheus of its own, in a folder of its own, on loopback. */
export async function startPrometheus(config: object, features: readonly string[]): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-prometheus-'))
  const file = join(folder, 'prometheus.yml')
  writeFileSync(file, JSON.stringify(config))
  const address = `127.0.0.1:${await freePort()}`
  const child = spawn('prometheus', [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
    `--enable-feature=${features.join(',')}`,
    '--log.level=warn'
  ])
  let complaints = ''
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))

  async function api(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const answer = await fetch(`http://${address}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`)
    const { status, data, error } = (await answer.json()) as { status: string; data: unknown; error?: string }
    if (status !== 'success') throw new Error(`${path}: ${error ?? status}`)
    return data
  }

  async function query(expression: string): Promise<readonly Found[]> {
    return ((await api('query', { query: expression })) as { result: readonly Found[] }).result
  }

  async function waitFor(expression: string): Promise<readonly Found[]> {
    const attempts = READY_MS_MAX / POLL_MS
    for (let i = 0; i < attempts; i++) {
      const found = await query(expression).catch(() => [])
      if (found.length > 0) return found
      if (child.exitCode !== null) break
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    throw new Error(`Prometheus never found ${expression}\n${complaints}`)
  }

  return {
    api,
    query,
    waitFor,
    complaints: () => complaints,
    stop: () => stop(child, folder)
  }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
