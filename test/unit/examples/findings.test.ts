import { expect, test } from '@jest/globals'
import { findInAnalysis, findOnMetrics, isRight } from '../../../examples/shop/findings.ts'
import { phases, type PhaseName } from '../../../src/model/phases.ts'
import { parsePrometheusText } from '../../builders/prometheus-text.ts'

const root = 'root_service_name="gateway",root_operation="GET /buy/{item}"'
const blame = (culprit: string, phase: string, band: string, seconds: number): string =>
  `tail_blame_seconds_total{${root},culprit_service_name="${culprit}",culprit_operation="op",phase="${phase}",band="${band}"} ${seconds}\n`
const requests = (band: string, count: number): string =>
  `tail_requests_total{service_name="gateway",operation="GET /buy/{item}",band="${band}",outcome="ok"} ${count}\n`

test('on /metrics purchases are slow because of what they have more in the tail, not of what always takes long', () => {
  const exposition = parsePrometheusText(
    '# TYPE tail_requests_total counter\n' +
      requests('le_p50', 100) +
      requests('gt_p99', 2) +
      '# TYPE tail_blame_seconds_total counter\n' +
      blame('pricing', 'processing', 'le_p50', 10) +
      blame('pricing', 'processing', 'gt_p99', 0.22) +
      blame('inventory', 'queue_wait', 'le_p50', 1) +
      blame('inventory', 'queue_wait', 'gt_p99', 0.2)
  )
  const { whole } = findOnMetrics(exposition, 'inventory')
  expect(whole).toMatchObject({ service: 'inventory', phase: 'queue_wait' })
  // 90 ms more against 10 ms more.
  expect(whole?.share).toBeCloseTo(0.9, 9)
})

test('analyze is read the same way, operations of the service together', () => {
  const means = (some: Partial<Record<PhaseName, number>>) =>
    ({ ...Object.fromEntries(phases.map((phase) => [phase, 0])), ...some }) as Record<PhaseName, number>
  const operation = { class: 'other', weight: 1, quantiles_ns: {}, body: null, tail: null, dominant: null } as const
  const of = (name: string, count: number, excess: Partial<Record<PhaseName, number>>) =>
    ({ ...operation, service: 'inventory', operation: name, requests: count, excess_mean_ns: means(excess) }) as never
  const findings = findInAnalysis(
    { blame: [], operations: [of('rare', 10, { gc: 50 }), of('often', 100, { queue_wait: 20, gc: 1 })] },
    'inventory'
  )
  expect(findings).toEqual({
    whole: undefined,
    local: { service: 'inventory', phase: 'queue_wait', share: 2000 / 2600 }
  })
})

test('the wire to somebody without spans is as right as their time, another service is not', () => {
  const truth = { service: 'gateway', phase: 'downstream' } as const
  expect(isRight({ service: 'gateway', phase: 'network', share: 1 }, truth)).toBe(true)
  expect(isRight({ service: 'inventory', phase: 'downstream', share: 1 }, truth)).toBe(false)
  expect(isRight(undefined, truth)).toBe(false)
})
