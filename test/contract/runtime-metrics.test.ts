import { expect, test } from '@jest/globals'
import { buildPipeline } from '../../src/pipeline.ts'
import { loadSettings } from '../../src/settings/settings.ts'

const NOW_MS = 1_760_000_000_000

function request(at: number, total: number): Uint8Array {
  const point = {
    startTimeUnixNano: `${NOW_MS - 60_000}000000`,
    timeUnixNano: `${NOW_MS + at * 1000}000000`,
    sum: total,
    count: '5',
    bucketCounts: ['0', '5'],
    explicitBounds: [0]
  }
  const metric = {
    name: 'go.schedule.duration',
    unit: 's',
    histogram: { aggregationTemporality: 2, dataPoints: [point] }
  }
  const attributes = [
    { key: 'service.name', value: { stringValue: 'cart' } },
    { key: 'service.instance.id', value: { stringValue: 'i1' } }
  ]
  return new TextEncoder().encode(
    JSON.stringify({ resourceMetrics: [{ resource: { attributes }, scopeMetrics: [{ metrics: [metric] }] }] })
  )
}

test('metrics that are accepted are known by process and interval after the next publication, and dumped', () => {
  const log = { error: () => undefined }
  const pipeline = buildPipeline(loadSettings('', 'defaults', {}), { log, nowMs: () => NOW_MS, seed: 1 })
  pipeline.accept.metrics(request(-20, 1), 'json')
  pipeline.accept.metrics(request(-10, 3), 'json')
  const runtime = (): unknown => (pipeline.sources.learned() as { decompose: { runtime: unknown } }).decompose.runtime
  expect(runtime()).toEqual([])
  pipeline.tick(NOW_MS)
  const ns = (at: number): number => (NOW_MS + at * 1000) * 1e6
  expect(runtime()).toEqual([
    ['instance:cart/i1', '', 'scheduling_seconds', [ns(-60), ns(-20), 1, ns(-20), ns(-10), 2]],
    ['instance:cart/i1', '', 'scheduling_count', [ns(-60), ns(-20), 5]]
  ])
  const names = pipeline.sources.counters.flatMap((counters) => counters.samples().map(({ name }) => name))
  expect(names).toContain('tail_runtime_points_ignored_total')
  expect(names).toContain('tail_evidence_implausible_total')
})
