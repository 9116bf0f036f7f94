/** Prometheus and Alertmanager as Debian has them, each in a folder and on a port of its own, on loopback. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const READY_MS_MAX = 30_000
const POLL_MS = 100

export interface Prometheus {
  readonly address: string
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

export async function startPrometheus(config: object, features: readonly string[]): Promise<Prometheus> {
  const server = await startServer('prometheus', 'prometheus.yml', config, (folder) => [
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--enable-feature=${features.join(',')}`,
    // Alertmanager learns at once what the text of an alert has become.
    '--rules.alert.resend-delay=1s'
  ])
  const { address, complaints } = server

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
      if (!server.alive()) break
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    throw new Error(`Prometheus never found ${expression}\n${complaints()}`)
  }

  return { address, api, query, waitFor, complaints, stop: server.stop }
}

export interface Alertmanager {
  readonly address: string
  /** What it would tell people now: active, and inhibited by nothing. */
  readonly alerts: () => Promise<readonly ShownAlert[]>
  readonly complaints: () => string
  readonly stop: () => Promise<void>
}

export interface ShownAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly receivers: readonly { readonly name: string }[]
}

export async function startAlertmanager(config: object): Promise<Alertmanager> {
  const server = await startServer('prometheus-alertmanager', 'alertmanager.yml', config, (folder) => [
    `--storage.path=${join(folder, 'data')}`,
    '--cluster.listen-address='
  ])
  return {
    ...server,
    async alerts() {
      const answer = await fetch(`http://${server.address}/api/v2/alerts?active=true&inhibited=false&silenced=false`)
      if (!answer.ok) throw new Error(`Alertmanager answered ${answer.status}: ${await answer.text()}`)
      return (await answer.json()) as ShownAlert[]
    }
  }
}

interface Server {
  readonly address: string
  readonly alive: () => boolean
  readonly complaints: () => string
  readonly stop: () => Promise<void>
}

async function startServer(
  program: string,
  configName: string,
  config: object,
  more: (folder: string) => readonly string[]
): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), `tailspan-${program}-`))
  const file = join(folder, configName)
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config))
  const address = `127.0.0.1:${await freePort()}`
  const flags = [`--config.file=${file}`, `--web.listen-address=${address}`, '--log.level=warn', ...more(folder)]
  const child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'pipe'] })
  const killWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithUs)
  let complaints = ''
  child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))
  await readied(address, child).catch(async (reason: unknown) => {
    await stop(child, folder)
    throw new Error(`${program} did not start: ${String(reason)}\n${complaints}`)
  })
  return {
    address,
    alive: () => child.exitCode === null && child.signalCode === null,
    complaints: () => complaints,
    async stop() {
      process.off('exit', killWithUs)
      await stop(child, folder)
    }
  }
}

async function readied(address: string, child: ChildProcess): Promise<void> {
  let failed: Error | undefined
  child.once('error', (reason) => (failed = reason))
  for (let i = 0; i < READY_MS_MAX / POLL_MS; i++) {
    const isReady = await fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false
    )
    if (isReady) return
    if (failed !== undefined) throw failed
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  throw new Error(`not ready after ${READY_MS_MAX} ms`)
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  rmSync(folder, { recursive: true, force: true })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
