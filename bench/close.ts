import { createDecomposer, decomposeSection, decomposeSettings } from '../src/decompose/index.ts'
import type { TraceColumns } from '../src/model/spans.ts'
import { createWorld, type SpanOf } from '../test/builders/traces.ts'
import { wholeNumbers } from '../test/builders/whole-numbers.ts'

/** Spans decomposed between two yields; pipeline.ts uses the same. */
const SLICE = 20_000
const options = { contextRows: 0, detail: false }

interface Row {
  readonly name: string
  readonly usPerSpan: number
  readonly longestBlockMs: number
}

/** Every parent calls on, waits for two more, and runs its own code in between. */
function tree(n: number): SpanOf[] {
  const below = wholeNumbers(7)
  const spans: SpanOf[] = [{ id: 1, startNs: 0, endNs: 1e12, kind: 'server', name: 'root' }]
  for (let id = 2; id <= n; id++) {
    const parent = spans[Math.floor((id - 2) / 3)] as SpanOf
    const lengthNs = Math.max(3, Math.floor((parent.endNs - parent.startNs) / 4))
    const startNs = parent.startNs + ((id - 2) % 3) * lengthNs + below(Math.max(1, lengthNs >> 2))
    const kind = id % 3 === 0 ? 'client' : id % 3 === 1 ? 'server' : 'internal'
    spans.push({
      id,
      parent: parent.id,
      startNs,
      endNs: startNs + lengthNs,
      kind,
      service: `s${id % 5}`,
      process: `s${id % 5}-1`,
      name: `op${id % 50}`
    })
  }
  return spans
}

function chain(n: number): SpanOf[] {
  return Array.from({ length: n }, (_, i) => ({
    id: i + 1,
    ...(i > 0 && { parent: i }),
    startNs: i,
    endNs: 3 * n - i,
    name: 'link'
  }))
}

function fan(n: number): SpanOf[] {
  return Array.from({ length: n }, (_, i) => ({
    id: i + 1,
    ...(i > 0 && { parent: 1 }),
    startNs: i === 0 ? 0 : 3 * i,
    endNs: i === 0 ? 10 * n : 3 * i + 50 * (i % 7),
    name: 'leaf',
    kind: i % 2 === 0 ? 'internal' : 'client'
  }))
}

/** Calls made at once that all wait for one another: but for the last to end they are off the path, and any may fill the time before it. */
function crowd(n: number): SpanOf[] {
  const below = wholeNumbers(11)
  return Array.from({ length: n }, (_, i) => ({
    id: i + 1,
    ...(i > 0 && { parent: 1 }),
    startNs: i === 0 ? 0 : 1 + below(4 * n),
    endNs: i === 0 ? 10 * n : 5 * n + below(4 * n),
    name: `leaf${i % 3}`,
    kind: 'client',
    outcome: i % 100 === 0 ? 1 : 0
  }))
}

function measure(name: string, spans: readonly SpanOf[]): Row {
  const world = createWorld()
  const decomposer = createDecomposer(decomposeSettings(decomposeSection.parse({})), world)
  const trace = world.trace(spans)
  const runs = Math.max(3, Math.floor(400_000 / spans.length))
  for (let i = 0; i < Math.ceil(runs / 4); i++) decomposeOnce(decomposer, trace)
  // What is usual is known from here on, so every piece is held against it.
  decomposer.publish()
  const cpu = process.cpuUsage()
  let longestBlockMs = 0
  for (let i = 0; i < runs; i++) longestBlockMs = Math.max(longestBlockMs, decomposeOnce(decomposer, trace))
  const { user, system } = process.cpuUsage(cpu)
  return { name, usPerSpan: (user + system) / runs / spans.length, longestBlockMs }
}

/** Returns the longest stretch between two yields. */
function decomposeOnce(decomposer: ReturnType<typeof createDecomposer>, trace: TraceColumns): number {
  if (trace.n <= SLICE) {
    const started = performance.now()
    const d = decomposer.decompose(trace, options)
    decomposer.hold(d, 0, 0)
    decomposer.learn(d, new Uint8Array(d.requests.n))
    return performance.now() - started
  }
  const run = decomposer.decomposeSliced(trace, options, SLICE)
  let longestMs = 0
  for (;;) {
    const started = performance.now()
    const step = run.next()
    longestMs = Math.max(longestMs, performance.now() - started)
    if (step.done === true) return longestMs
  }
}

/** Cost of decomposing one trace against its size and shape. */
export function benchClose(): Row[] {
  return [
    ...[8, 100, 1_000, 10_000, 100_000, 1_000_000].map((n) => measure(`tree of ${n.toLocaleString('en')}`, tree(n))),
    measure('chain of 100,000', chain(100_000)),
    measure('fan-out of 100,000', fan(100_000)),
    measure('crowd of 1,000,000', crowd(1_000_000))
  ]
}

if (import.meta.main) {
  for (const row of benchClose()) {
    console.log(
      `${row.name.padEnd(20)} ${row.usPerSpan.toFixed(3)} us/span, longest block ${row.longestBlockMs.toFixed(1)} ms`
    )
  }
}
