import { expect, test } from '@jest/globals'
import { type Budget } from '../../../../src/model/budgets.ts'
import { Phase } from '../../../../src/model/phases.ts'
import { Fault } from '../../../../src/runtime/fault.ts'
import { loadSettings } from '../../../../src/settings/settings.ts'

const budgetsOf = (text: string): readonly Budget[] => loadSettings(text, 'f.yaml', {}).explain.budgets

function problems(text: string): string {
  try {
    budgetsOf(text)
    return ''
  } catch (reason) {
    return Fault.from(reason).message
  }
}

test('a budget says targets by quantile, the share that may be over, and targets of phases', () => {
  const text = `
budgets:
  - service: shop/checkout
    operation: GET /buy*
    p50: 0.25ms
    p99: { target: 250ms, allowed: 0.7% }
    p99.9: 1s
    phases:
      queue_wait: { p99: 20ms }
  - { service: '*', p95: 2s }
`
  const whole = { phase: -1 }
  expect(budgetsOf(text)).toEqual([
    {
      service: 'shop/checkout',
      operation: 'GET /buy*',
      targets: [
        { name: 'p50', ...whole, thresholdNs: 250_000, allowedRatio: 0.5 },
        { name: 'p99', ...whole, thresholdNs: 250_000_000, allowedRatio: 0.007 },
        { name: 'p99.9', ...whole, thresholdNs: 1_000_000_000, allowedRatio: 0.001 },
        { name: 'p99:queue_wait', phase: Phase.queueWait, thresholdNs: 20_000_000, allowedRatio: 0.01 }
      ]
    },
    {
      service: '*',
      operation: '*',
      targets: [{ name: 'p95', ...whole, thresholdNs: 2_000_000_000, allowedRatio: 0.05 }]
    }
  ])
})

test('every mistake is told, with its line and what was expected', () => {
  const text = `budgets:
  - service: shop
  - { service: shop, operation: GET /, p99: soon }
  - { service: shop, p99: { target: 1s, allowed: 0% } }
  - { service: cart, p99: { target: 1s, allowed: 1 } }
  - { service: pay, p98: 1s }
  - { service: pay, operation: x, p99: 0.0000001ms }
  - { service: pay, operation: y, phases: { unattributed: { p99: 1s } } }
  - { service: pay, operation: z, p99: 0s }
`
  expect(problems(text).split('\n')).toEqual([
    'f.yaml:2: budgets[0]: no target; say p99: 250ms, for example',
    'f.yaml:3: budgets[1].p99: expected a duration like 250ms, 8s, 15m or 1h, got "soon"',
    'f.yaml:4: budgets[2].p99.allowed: expected a share between 0% and 100%',
    'f.yaml:5: budgets[3].p99.allowed: expected a share like 5%, 1% or 0.1%, got 1',
    'f.yaml:6: budgets[4].p98: unknown key; did you mean p95?',
    'f.yaml:7: budgets[5].p99: expected at least a nanosecond (0.000001ms): clocks tell nothing less',
    'f.yaml:8: budgets[6].phases.unattributed: unknown key; expected one of queue_wait, scheduling, gc, allocator, processing, downstream, network',
    'f.yaml:9: budgets[7].p99: expected at least a nanosecond (0.000001ms): clocks tell nothing less'
  ])
})

test('two budgets for the same operations are refused: one of them would never match', () => {
  const text = `budgets:
  - { service: shop, operation: 'GET /*', p99: 1s }
  - { service: shop, p99: 1s }
  - { service: shop, operation: 'GET /**', p95: 1s }
`
  expect(problems(text)).toBe(
    'f.yaml:4: budgets[2]: never matches: budgets[0] has the same service and operation; say all targets there'
  )
})
