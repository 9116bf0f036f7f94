import { expect, test } from '@jest/globals'
import { Phase, PHASES } from '../../../../src/model/phases.ts'
import { Band, BANDS } from '../../../../src/model/requests.ts'
import { buildPipeline } from '../../../../src/pipeline.ts'
import { exactToNumber } from '../../../../src/runtime/exact-sums.ts'
import { loadSettings } from '../../../../src/settings/settings.ts'
import { SIMULATION_START_NS, traceRequests } from '../../../builders/simulated-otlp.ts'
import { simulateShop } from '../../../builders/simulated-shop.ts'
import { readText } from '../../../builders/text-slices.ts'

const START_MS = Number(SIMULATION_START_NS / 1_000_000n)
const SECONDS = 45
/** By then the queue is known: looked for after 20 s, in what came in the first 10. */
const KNOWN_NS = 32e9

/** A service that gets each second's spans a second later, as SDKs export them. */
function runLive(text: string, rate = 30) {
  let nowMs = START_MS
  const pipeline = buildPipeline(loadSettings(text, 'test', {}), {
    log: {
      error(fields) {
        throw new Error(JSON.stringify(fields))
      }
    },
    nowMs: () => nowMs,
    seed: 1
  })
  const shop = simulateShop({ cause: 'queue', seed: 9, seconds: SECONDS, rate })
  let entries = 0
  for (let second = 0; second < SECONDS + 30; second++) {
    const spans = shop.spans.filter(({ endNs }) => Math.floor(endNs / 1e9) === second)
    entries += spans.filter(({ parent, process }) => parent?.process !== process).length
    nowMs = START_MS + (second + 1) * 1000
    for (const request of traceRequests({ ...shop, spans })) {
      pipeline.accept.traces(Buffer.from(JSON.stringify(request)), 'json')
    }
    for (let i = 0; i < 4; i++) pipeline.tick((nowMs += 250))
  }
  const waits = shop.spans.flatMap(({ pieces }) => pieces.filter(({ phase }) => phase === 'queue_wait'))
  const late = waits.filter(({ fromNs }) => fromNs > KNOWN_NS)
  return { pipeline, entries, nowMs, queuedLateNs: late.reduce((sum, { fromNs, toNs }) => sum + toNs - fromNs, 0) }
}

function inventory(pipeline: ReturnType<typeof buildPipeline>) {
  const { operations } = pipeline.sources.tables
  const { strings } = pipeline.names
  let queuedNs = 0
  let requests = 0
  for (let row = 1; row < operations.rows; row++) {
    if (strings.text(operations.service[row] as number) === 'inventory') {
      for (let band = 0; band < BANDS; band++) {
        queuedNs += exactToNumber(operations.phaseNs, (row * BANDS + band) * PHASES + Phase.queueWait)
      }
    }
    requests += operations.seen[row] as number
  }
  return { queuedNs, requests }
}

test('a running service finds the queue, counts every request once, and shows of a kept trace what it counted', () => {
  const { pipeline, entries, queuedLateNs } = runLive('', 200)
  const { queuedNs, requests } = inventory(pipeline)
  // All closed and judged by now, without a shutdown.
  expect(requests).toBe(entries)
  expect(queuedLateNs).toBeGreaterThan(1e9)
  expect(queuedNs).toBeGreaterThan(0.8 * queuedLateNs)
  const { tables, trace } = pipeline.sources
  const { operations } = tables
  const { strings } = pipeline.names
  let shown = 0
  for (let row = 1; row < operations.rows; row++) {
    if (strings.text(operations.service[row] as number) !== 'inventory') continue
    for (const { traceId, band, dominantPhase } of tables.retainedOf(
      operations.service[row] as number,
      operations.operation[row] as number
    )) {
      if (band !== Band.gtP99 || dominantPhase !== Phase.queueWait) continue
      const document = readText(trace(traceId)) as {
        requests: { service: string; phases: Record<string, number>; grades: Record<string, Record<string, number>> }[]
      }
      const of = document.requests.find(({ service }) => service === 'inventory')
      expect(of?.grades['queue_wait']?.['inferred']).toBe(of?.phases['queue_wait'])
      if ((of?.phases['queue_wait'] ?? 0) > 10e6) shown += 1
    }
  }
  expect(shown).toBeGreaterThan(0)
})

test('with the rule switched off nothing is inferred, and all are counted all the same', () => {
  const { pipeline, entries } = runLive('decompose: {inference: {without: [queue]}}')
  expect(inventory(pipeline)).toEqual({ queuedNs: 0, requests: entries })
})

test('traces that wait are counted when the service stops', async () => {
  const { pipeline, entries, nowMs } = runLive('decompose: {inference: {wait: 1h}}')
  expect(inventory(pipeline).requests).toBeLessThan(entries)
  await pipeline.shutdown(nowMs)
  expect(inventory(pipeline).requests).toBe(entries)
})

test('with no room for traces that wait, none is lost and what is lost to inference is counted', async () => {
  const { pipeline, entries, nowMs } = runLive('decompose: {inference: {wait: 1h, held_bytes_max: 16KiB}}')
  expect(inventory(pipeline).requests).toBeLessThan(entries)
  await pipeline.shutdown(nowMs)
  expect(inventory(pipeline).requests).toBe(entries)
  const samples = pipeline.sources.counters.flatMap((counters) => counters.samples())
  const lost = samples.find(({ name, labelValue }) => name === 'tail_inference_losses_total' && labelValue === 'traces')
  expect(lost?.value).toBeGreaterThan(0)
})
