/** Processes of the shop: started, waited for until they are ready, stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

/** A service that has said it is ready. */
export interface Running {
  readonly address: string
  readonly control: string
  /** Of the cache that runs in the same process; only shipping has one. */
  readonly cache?: string
  /** How long its threads were ready and the kernel ran others, in milliseconds so far; nothing where Linux does not say. */
  readonly cpuDelayMs: () => number | undefined
  /** SIGTERM, then its end; throws what it said when it did not end well. */
  readonly stop: () => Promise<void>
}

export interface ToStart {
  readonly name: string
  readonly binary: string
  readonly environment: Readonly<Record<string, string>>
}

/** A service chooses its ports itself: one that we had found free could be taken by then. */
const READY = /^ready (\S+) control (\S+)(?: cache (\S+))?\n/m
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const READY_MS_MAX = 20_000
const STOP_MS_MAX = 20_000
const OUTPUT_CHARS_MAX = 65_536

interface Watched {
  readonly child: ChildProcess
  readonly output: () => string
  readonly closed: Promise<void>
}

const living = new Set<ChildProcess>()
const killAll = (): void => {
  for (const child of living) child.kill('SIGKILL')
}
/** Without a listener a signal ends Node at once, and with it nobody who could end the children. */
const endWithThem = (): void => process.exit(1)

function keepWatch(child: ChildProcess): void {
  if (living.size === 0) {
    process.on('exit', killAll)
    for (const signal of ENDING) process.on(signal, endWithThem)
  }
  living.add(child)
  child.once('close', () => {
    living.delete(child)
    if (living.size > 0) return
    process.off('exit', killAll)
    for (const signal of ENDING) process.off(signal, endWithThem)
  })
}

/** The child does not outlive us, and what it says is kept for when it fails. */
function watch(binary: string, args: readonly string[], environment: Readonly<Record<string, string>>): Watched {
  const child = spawn(binary, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
  keepWatch(child)
  let output = ''
  const collect = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const closed = once(child, 'close').then(() => undefined)
  return { child, output: () => output, closed }
}

export async function startProcess({ name, binary, environment }: ToStart): Promise<Running> {
  const { child, output, closed } = watch(binary, [], environment)
  const ready = await new Promise<RegExpExecArray>((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${name} was not ready after ${READY_MS_MAX} ms:\n${output()}`))
    }, READY_MS_MAX)
    const ended = (): void => {
      clearTimeout(timer)
      reject(new Error(`${name} ended before it was ready:\n${output()}`))
    }
    child.once('error', ended)
    child.once('close', ended)
    child.stdout?.on('data', () => {
      const line = READY.exec(output())
      if (line === null) return
      clearTimeout(timer)
      resolve(line)
    })
  })
  const [, address = '', control = '', cache] = ready
  return {
    address,
    control,
    ...(cache === undefined ? {} : { cache }),
    cpuDelayMs: () => cpuDelayMsOf(child.pid ?? 0),
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
      child.kill('SIGTERM')
      await closed
      clearTimeout(timer)
      if (child.exitCode !== 0) throw new Error(`${name} ended with ${child.exitCode ?? 'SIGKILL'}:\n${output()}`)
    }
  }
}

/** Of the threads that live. */
function cpuDelayMsOf(pid: number): number | undefined {
  try {
    const delays = readdirSync(`/proc/${pid}/task`).map((thread) => {
      const [, delayNs] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      return Number(delayNs)
    })
    return Math.round(delays.reduce((sum, ns) => sum + ns, 0) / 1e6)
  } catch {
    return undefined
  }
}

/** Runs a program to its end and returns what it printed. */
export async function runProgram(binary: string, args: readonly string[]): Promise<string> {
  const { child, output, closed } = watch(binary, args, {})
  await closed
  if (child.exitCode !== 0) throw new Error(`${binary} ended with ${child.exitCode ?? 'a signal'}:\n${output()}`)
  return output()
}
