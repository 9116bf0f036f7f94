import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { pause } from '../builders/live-service.ts'

const run = promisify(execFile)
const BUILD_MS_MAX = 15 * 60_000
const READY_MS_MAX = 30_000
const STOP_MS_MAX = 20_000
const sources = fileURLToPath(new URL('../../deploy/check/collector', import.meta.url))

/** The OpenTelemetry Collector, of the parts that are needed here; Go keeps what it has built. */
export async function buildCollector(program: string): Promise<void> {
  await run('go', ['build', '-o', program, '.'], { cwd: sources, timeout: BUILD_MS_MAX })
}

export interface Collector {
  /** SIGTERM, so that it sends or writes what it has, and then the same again. */
  readonly restart: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Starts it with this configuration (JSON is YAML) and waits until it listens on the port. */
export async function startCollector(program: string, file: string, config: object, port: number): Promise<Collector> {
  writeFileSync(file, JSON.stringify(config, null, 2))
  let output = ''
  let child: ChildProcess

  async function start(): Promise<void> {
    child = spawn(program, ['--config', file], { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-65_536)))
    const startedMs = performance.now()
    while (!(await listens(port))) {
      if (child.exitCode !== null || performance.now() - startedMs > READY_MS_MAX)
        throw new Error(`the Collector does not listen:\n${output}`)
      await pause(50)
    }
  }

  async function stop(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const closed = once(child, 'close')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    child.kill('SIGTERM')
    await closed
    clearTimeout(timer)
  }

  const killWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithUs)
  await start()
  return {
    async restart() {
      await stop()
      await start()
    },
    async stop() {
      await stop()
      process.off('exit', killWithUs)
    }
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

/** Ports that nobody has right now: what is restarted must come back on its own. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
