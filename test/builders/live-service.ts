import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parsePrometheusText, type Exposition } from './prometheus-text.ts'

type Section = Readonly<Record<string, unknown>>
/** The settings file; JSON is YAML. */
export interface SettingsFile extends Section {
  readonly accept?: Section
  readonly expose?: Section
}

/** The service as its users have it: a process of its own, known by its ports. */
export interface LiveService {
  readonly pid: number
  /** host:port of each listener. */
  readonly grpc: string
  readonly http: string
  readonly metrics: string
  /** From the start of the process to its ready line. */
  readonly readyMs: number
  /** What it wrote to stdout and stderr so far, the last 64 KiB. */
  readonly output: () => string
  readonly scrape: () => Promise<Exposition>
  readonly alive: () => boolean
  /** SIGTERM, then its exit code (null when it had to be killed). */
  readonly stop: () => Promise<number | null>
  /** SIGKILL, as the kernel does it when memory is gone. */
  readonly kill: () => Promise<void>
}

/** How the process is started, beside its settings. */
export interface StartOptions {
  /** Arguments of Node itself, before the program's. */
  readonly nodeArguments?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Called with the process id before the service has loaded anything. */
  readonly onSpawn?: (pid: number) => void
}

const READY = /^ready otlp_grpc=(\S+) otlp_http=(\S+) metrics=(\S+)$/m
const READY_MS_MAX = 30_000
const STOP_MS_MAX = 15_000
/** As long as Prometheus waits by default. */
const SCRAPE_MS_MAX = 10_000
const OUTPUT_CHARS_MAX = 65_536

export const projectFolder = fileURLToPath(new URL('../..', import.meta.url))

/** Every listener on loopback and a free port, unless said otherwise. */
function onFreePorts(settings: SettingsFile): SettingsFile {
  return {
    ...settings,
    accept: { host: '127.0.0.1', grpc_port: 0, http_port: 0, ...settings.accept },
    expose: { host: '127.0.0.1', port: 0, ...settings.expose }
  }
}

/** Starts `serve` with these settings, or with a settings file of the user's own. */
export async function startService(
  settings: SettingsFile | string = {},
  { nodeArguments = [], env = {}, onSpawn }: StartOptions = {}
): Promise<LiveService> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
  const file = typeof settings === 'string' ? settings : join(folder, 'settings.yaml')
  if (typeof settings !== 'string') writeFileSync(file, JSON.stringify(onFreePorts(settings), null, 2))
  const startedMs = performance.now()
  const child = spawn(process.execPath, [...nodeArguments, 'src/main.ts', 'serve', '--config', file], {
    cwd: projectFolder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  if (child.pid !== undefined) onSpawn?.(child.pid)
  const killWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithUs)
  let output = ''
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX)
  }
  child.stderr.on('data', collect)
  const closed = once(child, 'close').then(() => {
    process.off('exit', killWithUs)
    rmSync(folder, { recursive: true, force: true })
  })
  const ready = new Promise<RegExpExecArray>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`not ready after ${READY_MS_MAX} ms:\n${output}`))
    }, READY_MS_MAX)
    child.once('close', () => {
      clearTimeout(timer)
      reject(new Error(`the service ended before it was ready:\n${output}`))
    })
    child.stdout.on('data', (chunk: Buffer) => {
      collect(chunk)
      const line = READY.exec(output)
      if (line === null) return
      clearTimeout(timer)
      resolve(line)
    })
  })
  const [, grpc = '', http = '', metrics = ''] = await ready
  return {
    pid: child.pid ?? 0,
    grpc,
    http,
    metrics,
    readyMs: performance.now() - startedMs,
    output: () => output,
    alive: () => child.exitCode === null && child.signalCode === null,
    async scrape() {
      const answer = await fetch(`http://${metrics}/metrics`, {
        headers: { accept: 'text/plain; version=0.0.4' },
        signal: AbortSignal.timeout(SCRAPE_MS_MAX)
      })
      if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`)
      return parsePrometheusText(await answer.text())
    },
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      child.kill('SIGTERM')
      await closed
      clearTimeout(timer)
      return child.exitCode
    },
    async kill() {
      child.kill('SIGKILL')
      await closed
    }
  }
}

/** CPU time of a process, all its threads, in seconds; Linux only. */
export function cpuSecondsOf(pid: number): number {
  return secondsIn(`/proc/${pid}/stat`)
}

/** CPU time of each thread of a process by its number; the main thread's is the process's. */
export function threadSecondsOf(pid: number): ReadonlyMap<number, number> {
  const folder = `/proc/${pid}/task`
  return new Map(readdirSync(folder).map((thread) => [Number(thread), secondsIn(`${folder}/${thread}/stat`)]))
}

function secondsIn(file: string): number {
  const stat = readFileSync(file, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const TICKS_PER_SECOND = 100
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Memory of a process in bytes, now and at its highest; Linux only. */
export function residentBytesOf(pid: number): { nowBytes: number; peakBytes: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kib = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1])
  return { nowBytes: kib('VmRSS') * 1024, peakBytes: kib('VmHWM') * 1024 }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Scrapes until `done` says so, or the time is over; returns the last scrape either way. */
export async function scrapeUntil(
  service: LiveService,
  done: (exposition: Exposition) => boolean,
  { everyMs = 500, forMs = 60_000 } = {}
): Promise<Exposition> {
  const endMs = performance.now() + forMs
  for (;;) {
    const exposition = await service.scrape()
    if (done(exposition) || performance.now() > endMs) return exposition
    await pause(everyMs)
  }
}
