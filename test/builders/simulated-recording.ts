import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { metricRequests, SIMULATION_START_NS, traceRequests, truthLines, unixNano } from './simulated-otlp.ts'
import { type SimulatedShop } from './simulated-shop.ts'

const lines = (objects: readonly object[]): string => objects.map((object) => `${JSON.stringify(object)}\n`).join('')

/** Writes a folder as `npm run truth record` does, but as plain JSON lines. */
export function writeSimulatedRecording(folder: string, shop: SimulatedShop): void {
  const { cause, seed, seconds, rate = 200, waitSpans = false } = shop.options
  mkdirSync(folder, { recursive: true })
  const meta = {
    cause,
    level: waitSpans ? 'waits' : 'default',
    seed,
    startedUnixNano: SIMULATION_START_NS.toString(),
    seconds,
    rate,
    episodes: shop.episodes.map(({ fromNs, toNs }) => ({
      cause,
      fromUnixNano: unixNano(fromNs),
      toUnixNano: unixNano(toNs)
    }))
  }
  writeFileSync(join(folder, 'meta.json'), JSON.stringify(meta))
  writeFileSync(join(folder, 'traces.otlp.jsonl'), lines(traceRequests(shop)))
  writeFileSync(join(folder, 'metrics.otlp.jsonl'), lines(metricRequests(shop)))
  writeFileSync(join(folder, 'all.truth.jsonl'), lines(truthLines(shop)))
}
