import { type Decomposition } from '../src/model/decomposition.ts'
import { type Resources } from '../src/model/spans.ts'
import { createExplainer, explainSection, explainSettings } from '../src/explain/index.ts'
import { createStrings } from '../src/runtime/strings.ts'
import { decompositionOf } from '../test/builders/decompositions.ts'

/** What a request costs from its decomposition to the tail tables, at 10, 500 and 5,000 operations. Fixed seed. */
const REQUESTS_PER_TRACE = 5
const TRACES = 200_000
/** Few enough to stay in the cache: the real decomposition is one reused object. */
const POOL = 128
const OPERATIONS = [10, 500, 5_000]

interface Result {
  readonly operations: number
  readonly wallUs: number
  readonly cpuUs: number
  readonly heapGrowthMiB: number
  readonly memoryMiB: number
}

let state = 1
function random(): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return state / 2 ** 32
}

interface Name {
  readonly service: number
  readonly operation: number
}

const NAMELESS: Name = { service: 0, operation: 0 }

function pool(culprits: readonly Name[]): Decomposition[] {
  return Array.from({ length: POOL }, (_, traceId) => {
    const requests = Array.from({ length: REQUESTS_PER_TRACE }, () => {
      const durationNs = Math.round(1e6 * Math.exp(random() * 3) * (random() < 0.02 ? 20 : 1))
      const phases = { queue_wait: Math.floor(durationNs / 3), downstream: Math.floor(durationNs / 4) }
      return { durationNs, phases }
    })
    const root = requests[0]?.durationNs ?? 0
    const blame = Array.from({ length: 10 }, () => ({
      ...(culprits[Math.floor(random() * culprits.length)] ?? NAMELESS),
      phase: 'queue_wait' as const,
      ns: Math.floor(root / 10)
    }))
    return decompositionOf({ requests, blame, traceId, spans: 8 })
  })
}

/** Gives a trace another id and its requests other operations. */
function redraw({ trace, requests }: Decomposition, id: number, names: readonly Name[]): void {
  trace.traceId[0] = id
  for (let i = 0; i < requests.n; i++) {
    const { service, operation } = names[Math.floor(random() * names.length)] ?? NAMELESS
    requests.service[i] = service
    requests.operation[i] = operation
  }
}

function measure(operations: number): Result {
  const strings = createStrings({ stringsMax: 50_000, bytesMax: 1 << 24, stringBytesMax: 256, seed: 1 })
  const names = Array.from({ length: operations }, (_, i) => ({
    service: strings.internText(`service-${i % 20}`),
    operation: strings.internText(`GET /operation/${i}`)
  }))
  const none = new Uint32Array(2)
  const resources: Resources = {
    rows: 2,
    service: none,
    process: none,
    host: none,
    version: none,
    language: new Uint8Array(2)
  }
  const settings = { ...explainSettings(explainSection.parse({})), operationsMax: 5_000 * 1.3 }
  const explainer = createExplainer(settings, { strings, resources })
  const traces = pool(names.slice(0, 8))
  const run = (count: number, fromMs: number): void => {
    for (let i = 0; i < count; i++) {
      const nowMs = fromMs + i
      const decomposition = traces[i % POOL] as Decomposition
      redraw(decomposition, i, names)
      explainer.consume(decomposition, nowMs)
      if (i % 250 === 0) explainer.tick(nowMs)
    }
  }
  run(TRACES, 1e12)
  globalThis.gc?.()
  const heap = process.memoryUsage().heapUsed
  const cpu = process.cpuUsage()
  const started = performance.now()
  run(TRACES, 1e12 + TRACES)
  const wallMs = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  const requests = TRACES * REQUESTS_PER_TRACE
  const held = Object.values(explainer.memory()).reduce((sum, bytes) => sum + bytes, 0)
  return {
    operations,
    wallUs: (wallMs * 1000) / requests,
    cpuUs: (user + system) / requests,
    heapGrowthMiB: (process.memoryUsage().heapUsed - heap) / 2 ** 20,
    memoryMiB: held / 2 ** 20
  }
}

/** A table in Markdown. */
export function benchExplain(): string {
  const rows = OPERATIONS.map(measure).map(
    (result) =>
      `| ${result.operations} | ${result.wallUs.toFixed(2)} | ${result.cpuUs.toFixed(2)} | ${result.memoryMiB.toFixed(1)} | ${result.heapGrowthMiB.toFixed(1)} |`
  )
  return [
    '| operations | wall µs a request | CPU µs a request | tables MiB | heap growth MiB |',
    '|---|---|---|---|---|',
    ...rows
  ].join('\n')
}

if (import.meta.main) console.log(benchExplain())
