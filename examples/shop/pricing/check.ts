/**
 * Runs the pricing service alone against a throwaway OTLP sink, 200 requests per cause, and prints what truth says
 * of the slowest that met an episode of it and of the faster half of all: `node examples/shop/pricing/check.ts [cause ...]`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'

const CAUSES = ['none', 'tokio-stall', 'allocator', 'burn', 'slow-dependency', 'sleep', 'retry', 'db-pool']
const PHASES = ['queue_wait', 'scheduling', 'allocator', 'processing', 'downstream', 'unattributed'] as const
const REQUESTS = 200
const REQUESTS_PER_SECOND = 40
const EPISODE_MS = 250
const TAIL = 10

interface Answered {
  readonly traceId: string
  readonly startMs: number
  readonly ms: number
}
interface TruthLine {
  readonly trace_id: string
  readonly self?: Readonly<Record<string, number>>
}

const sink = createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(200).end())
})
sink.listen(0, '127.0.0.1')
await once(sink, 'listening')
const sinkPort = (sink.address() as AddressInfo).port

const asked = process.argv.slice(2)
console.log(['cause', 'requests', 'mean ms', 'which', ...PHASES].join(' | '))
for (const cause of asked.length > 0 ? asked : CAUSES) await check(cause)
sink.close()

async function check(cause: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pricing-'))
  const { child, listen, control } = await start(folder)
  try {
    await load(listen, 20)
    const [answers, episodeStarts] = await Promise.all([load(listen, REQUESTS), episodes(control, cause)])
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`pricing ended with ${String(code)}`)
    const met = answers.filter(({ startMs }) =>
      episodeStarts.some((from) => startMs >= from && startMs < from + EPISODE_MS)
    )
    const groups = {
      slowest: slowestOf(cause === 'none' ? answers : met).slice(0, TAIL),
      'faster half': fasterHalf(answers)
    }
    print(cause, groups, phasesByTrace(join(folder, 'pricing.truth.jsonl')))
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

async function start(folder: string): Promise<{ child: ChildProcess; listen: string; control: string }> {
  const binary = new URL('target/release/pricing', import.meta.url).pathname
  const child = spawn(binary, {
    env: {
      SHOP_TRUTH: folder,
      SHOP_LEVEL: process.env['SHOP_LEVEL'] ?? 'default',
      OTEL_SERVICE_NAME: 'pricing',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${sinkPort}`
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const [, listen = '', control = ''] = await found(child.stdout, /^ready (\S+) control (\S+)\n/m)
  return { child, listen, control }
}

async function found(stream: Readable, pattern: RegExp): Promise<RegExpExecArray> {
  let text = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    const match = pattern.exec(text)
    if (match !== null) return match
  }
  throw new Error(`pricing ended before it said ${String(pattern)}: ${text}`)
}

async function load(address: string, count: number): Promise<Answered[]> {
  const answers: Promise<Answered>[] = []
  const startMs = performance.now()
  for (let i = 0; i < count; i++) {
    await pause(Math.max(0, startMs + (i * 1000) / REQUESTS_PER_SECOND - performance.now()))
    answers.push(price(address, i))
  }
  return await Promise.all(answers)
}

async function price(address: string, i: number): Promise<Answered> {
  const traceId = randomBytes(16).toString('hex')
  const startMs = performance.now()
  const response = await fetch(`http://${address}/price`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01` },
    body: JSON.stringify({ item: `i${i % 100}`, quantity: 1 + (i % 50) })
  })
  await response.arrayBuffer()
  return { traceId, startMs, ms: performance.now() - startMs }
}

/** Two episodes in five seconds, so that about a tenth of the requests meets one. */
async function episodes(control: string, cause: string): Promise<number[]> {
  const starts: number[] = []
  if (cause === 'none') return starts
  for (const waitMs of [1000, 2000]) {
    await pause(waitMs)
    const response = await fetch(`http://${control}/cause/${cause}?ms=${EPISODE_MS}`, { method: 'PUT' })
    if (response.status !== 204) throw new Error(`${cause}: ${response.status} ${await response.text()}`)
    starts.push(performance.now())
  }
  return starts
}

function slowestOf(answers: readonly Answered[]): Answered[] {
  return [...answers].sort((a, b) => b.ms - a.ms)
}

function fasterHalf(answers: readonly Answered[]): Answered[] {
  return slowestOf(answers).slice(answers.length / 2)
}

function phasesByTrace(file: string): Map<string, Map<string, number>> {
  const traces = new Map<string, Map<string, number>>()
  for (const line of readFileSync(file, 'utf8').trim().split('\n')) {
    const { trace_id: traceId, self } = JSON.parse(line) as TruthLine
    const phases = traces.get(traceId) ?? new Map<string, number>()
    traces.set(traceId, phases)
    for (const [phase, ns] of Object.entries(self ?? {})) phases.set(phase, (phases.get(phase) ?? 0) + ns / 1e6)
  }
  return traces
}

function print(
  cause: string,
  groups: Readonly<Record<string, Answered[]>>,
  traces: Map<string, Map<string, number>>
): void {
  for (const [name, group] of Object.entries(groups)) {
    const mean = (of: (answer: Answered) => number): string =>
      (group.reduce((sum, answer) => sum + of(answer), 0) / group.length).toFixed(2)
    const phases = PHASES.map((phase) => mean(({ traceId }) => traces.get(traceId)?.get(phase) ?? 0))
    console.log([cause, group.length, mean(({ ms }) => ms), name, ...phases].join(' | '))
  }
}
