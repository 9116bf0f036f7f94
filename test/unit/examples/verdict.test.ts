import { expect, test } from '@jest/globals'
import { causeOf } from '../../../examples/shop/causes.ts'
import { type Finding } from '../../../examples/shop/findings.ts'
import { inWords, isWrong, table, type Verdict } from '../../../examples/shop/verdict.ts'

const finding = (service: string, phase: Finding['phase'], share: number): Finding => ({ service, phase, share })
const queue = { whole: finding('inventory', 'queue_wait', 0.9), local: finding('inventory', 'queue_wait', 0.8) }
const retry = { whole: finding('inventory', 'unattributed', 0.7), local: finding('gateway', 'downstream', 0.6) }

test('a cause is named rightly when both questions are answered so, by whoever was asked', () => {
  const wrongly = { ...queue, local: finding('inventory', 'scheduling', 0.5) }
  const verdict = (metrics: Verdict['metrics'], analysis?: Verdict['analysis']): Verdict => ({
    cause: 'queue',
    metrics,
    analysis
  })
  expect(isWrong(verdict(queue))).toBe(false)
  expect(isWrong(verdict(queue, queue))).toBe(false)
  expect(isWrong(verdict(queue, wrongly))).toBe(true)
  expect(isWrong(verdict({ whole: undefined, local: undefined }))).toBe(true)
  expect(inWords(wrongly, causeOf('queue'))).toBe(
    'purchases are slow because of inventory: queue_wait (90 %, right); the tail of inventory itself is scheduling (50 %, WRONG)'
  )
})

test('where nothing was injected nothing is wrong', () => {
  const natural = { cause: 'none', metrics: queue, analysis: undefined } as const
  expect(isWrong(natural)).toBe(false)
  expect(inWords(queue, causeOf('none'))).toBe('purchases are slow because of inventory: queue_wait (90 %)')
})

test('the table has a line a cause, with what was injected beside what was named', () => {
  const rows = table([
    { cause: 'none', metrics: queue, analysis: undefined },
    { cause: 'queue', metrics: queue, analysis: { whole: undefined, local: undefined } },
    { cause: 'retry', metrics: retry, analysis: retry }
  ]).split('\n')
  expect(rows.slice(2)).toEqual([
    '| none | nothing | inventory: queue_wait 90 % | - | - | - |  |',
    '| queue | inventory: queue_wait | inventory: queue_wait 90 % | - | inventory: queue_wait 80 % | - | NO |',
    '| retry | inventory: unattributed (gateway: downstream) | inventory: unattributed 70 % | inventory: unattributed 70 % | gateway: downstream 60 % | gateway: downstream 60 % | yes |'
  ])
})
