import { createMetricDecoder, createResources, createSpanDecoder, decoderLimits } from '../../src/accept/otlp/index.ts'
import { createAssembler } from '../../src/assemble/index.ts'
import { createDecomposer } from '../../src/decompose/index.ts'
import type { Decomposition } from '../../src/model/decomposition.ts'
import { PHASE_SLOTS } from '../../src/model/phases.ts'
import { Band } from '../../src/model/requests.ts'
import { createSharedMemory, openSharedMemory, type SharedMemory } from '../../src/runtime/shared-memory.ts'
import { createStrings } from '../../src/runtime/strings.ts'
import { loadSettings } from '../../src/settings/settings.ts'
import { metricRequests, SIMULATION_START_NS, traceRequests } from './simulated-otlp.ts'
import { simulateShop, type SimulatedOptions, type SimulatedShop } from './simulated-shop.ts'

const START_MS = Number(SIMULATION_START_NS / 1_000_000n)
const PUBLISH_EVERY_SECONDS = 10
/** Until all have closed and are judged. */
const SECONDS_AFTER = 16

/** ns by phase and grade of every request, by the id of its entry span. */
export type Said = ReadonlyMap<string, readonly number[]>

export interface Judged {
  readonly said: Said
  /** What was learned, its rows in an order of their own. */
  readonly learned: object
}

/** Decoder, assembler and decomposer of one shard; `thread` 0 only publishes. */
function createShard(memory: SharedMemory, said: Map<string, readonly number[]>) {
  const { assemble, decompose: settings } = loadSettings('', 'test', {})
  const strings = createStrings({ stringsMax: 10_000, bytesMax: 1 << 20, stringBytesMax: 256, seed: 3, memory })
  const resources = createResources(strings, { resourcesMax: 100 }, memory)
  const decompose = createDecomposer(settings, { strings, resources, memory })
  const tools = { strings, resources, limits: { ...decoderLimits, spanAgeMaxMs: Infinity } }
  const spans = createSpanDecoder({ ...tools, wants: decompose.wants() })
  const points = createMetricDecoder(tools)
  let lastMs = START_MS
  const assembler = createAssembler(
    assemble,
    { resources, seed: 1 },
    {
      closed(trace, contextRows) {
        const result = decompose.decompose(trace, { contextRows, detail: false })
        if (!decompose.hold(result, contextRows, lastMs)) count(result)
      },
      late: () => false
    }
  )

  function count(result: Decomposition): void {
    const { requests, trace } = result
    for (let request = 0; request < requests.n; request++) {
      const span = requests.span[request] as number
      const id = `${trace.spanId[2 * span]}:${trace.spanId[2 * span + 1]}`
      said.set(id, [...requests.phaseNs.subarray(request * PHASE_SLOTS, (request + 1) * PHASE_SLOTS)])
    }
    decompose.learn(result, new Uint8Array(requests.n).fill(Band.none))
  }

  return {
    decompose,
    traces(request: object) {
      spans.decodeJson(Buffer.from(JSON.stringify(request)), lastMs)
      assembler.consume(spans.batch, lastMs)
    },
    metrics(request: object) {
      points.decodeJson(Buffer.from(JSON.stringify(request)), lastMs)
      decompose.learnPoints(points.points)
    },
    close(nowMs: number) {
      lastMs = nowMs
      assembler.tick(nowMs)
      // As a shard does that is in no hurry.
      while (assembler.due(nowMs)) assembler.closeDue(nowMs)
    },
    judge(nowMs: number) {
      while (decompose.due(nowMs)) count(decompose.take(() => ({ detail: false })))
    }
  }
}

/** A simulated shop, its traces spread over shards by their ids, as one process with so many threads would see it. */
export function judgeInShards(options: SimulatedOptions, shards: number): Judged {
  const shop = simulateShop(options)
  const memory = createSharedMemory()
  const said = new Map<string, readonly number[]>()
  const main = createShard(memory, said)
  const all = Array.from({ length: shards }, (_, i) => createShard(openSharedMemory(memory.buffers(), i + 1), said))
  const metrics = metricRequests(shop)
  const perSecond = Math.ceil(metrics.length / options.seconds)
  for (let second = 0; second < options.seconds + SECONDS_AFTER; second++) {
    const ended = shop.spans.filter(({ endNs }) => Math.floor(endNs / 1e9) === second)
    for (const [i, shard] of all.entries()) {
      const spans = ended.filter(({ traceId }) => shardOf(traceId, shards) === i)
      for (const request of traceRequests({ ...shop, spans } satisfies SimulatedShop)) shard.traces(request)
    }
    for (const request of metrics.slice(second * perSecond, (second + 1) * perSecond)) all[0]?.metrics(request)
    const nowMs = START_MS + (second + 1) * 1000
    for (const shard of all) shard.close(nowMs)
    for (const shard of all) shard.judge(nowMs)
    if (second % PUBLISH_EVERY_SECONDS === 0) main.decompose.publish()
  }
  return { said, learned: inOrder(main.decompose.learned()) }
}

const shardOf = (traceId: string, shards: number): number => parseInt(traceId.slice(-8), 16) % shards

function inOrder(learned: object): object {
  const sorted = Object.entries(learned).map(([part, rows]: [string, unknown]) => [
    part,
    Array.isArray(rows) ? rows.map((row) => JSON.stringify(row)).sort() : rows
  ])
  return Object.fromEntries(sorted) as object
}
