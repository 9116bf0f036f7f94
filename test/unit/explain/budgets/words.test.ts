import { expect, test } from '@jest/globals'
import { budgetWarnings, describeBudgets } from '../../../../src/explain/index.ts'
import { loadSettings } from '../../../../src/settings/settings.ts'

const tools = { counted: (operation: string) => operation.replace(/\d+/g, '{id}') }
const words = (text: string): string[] => describeBudgets(loadSettings(text, 'f.yaml', {}).explain, tools)
const warnings = (text: string): string[] =>
  budgetWarnings(loadSettings(text, 'f.yaml', {}).explain, tools).map(({ at, text: says }) => `${at ?? 'all'}: ${says}`)

test('every budget is told in words, with those that win where they meet', () => {
  const text = `budgets:
  - { service: '*', p99: 1.5s }
  - { service: shop/*, operation: 'GET /*', p95: 100ms, p99: { target: 250ms, allowed: 0.7% } }
  - { service: shop/cart, p50: 0.25ms, phases: { queue_wait: { p99: 20ms } } }
  - { service: shop/cart, operation: 'POST /*', p99: 1s }
`
  expect(words(text)).toEqual([
    'Budgets. Of those that match an operation only the most specific counts; an operation has all its targets.',
    '1. service "*", operation "*": p99 within 1.5s for all but 1 %.',
    '   Where it meets 2 (service "shop/*", operation "GET /*"), 3 (service "shop/cart", operation "*"), 4 (service "shop/cart", operation "POST /*"), that one wins.',
    '2. service "shop/*", operation "GET /*": p95 within 100ms for all but 5 %; p99 within 250ms for all but 0.7 %.',
    '   Where it meets 3 (service "shop/cart", operation "*"), that one wins.',
    '3. service "shop/cart", operation "*": p50 within 0.25ms for all but 50 %; p99:queue_wait within 20ms for all but 1 %.',
    '   Where it meets 4 (service "shop/cart", operation "POST /*"), that one wins.',
    '4. service "shop/cart", operation "POST /*": p99 within 1s for all but 1 %.'
  ])
})

test('without budgets there is nothing to say', () => {
  expect(words('')).toEqual([])
})

test('of many that win only some are named', () => {
  const services = Array.from({ length: 9 }, (_, i) => `  - { service: shop-${i}, p99: 1s }\n`)
  expect(words(`budgets:\n  - { service: shop*, p99: 1s }\n${services.join('')}`)[2]).toMatch(
    / or 6 others, that one wins\.$/
  )
})

test.each([
  [
    '{ service: shop, operation: "GET /users/42", p99: 1s }',
    '',
    ['0: it never matches: operations have ids and numbers written as {id}; say "GET /users/{id}".']
  ],
  [
    '{ service: shop, operation: "GET /events", p99: 1s }',
    'explain: { classes: [{ match: "shop/GET /ev*", class: stream }] }',
    ['0: it never counts: explain.classes makes these operations stream, and only request and message have budgets.']
  ],
  [
    // Some of them are no streams.
    '{ service: shop, operation: "GET /*", p99: 1s }',
    'explain: { classes: [{ match: "shop/GET /ev*", class: stream }] }',
    []
  ],
  [
    // The first rule that matches is what counts.
    '{ service: shop, operation: "GET /events", p99: 1s }',
    'explain: { classes: [{ match: "*/GET /events", class: request }, { match: "*", class: stream }] }',
    []
  ],
  [
    '{ service: edge-*, p99: 1s }',
    'explain: { sampling: [{ service: "edge*", kind: tail }] }',
    ['0: it never counts: explain.sampling says that these traces were chosen by how they went (tail).']
  ],
  [
    '{ service: shop, p99: 0.0005ms }',
    '',
    ['0: p99: 0.0005ms is less than the clocks of spans tell (0.001ms at best), so nearly all requests will be over.']
  ],
  ['{ service: shop, p50: 200ms, p95: 100ms }', '', ['0: p50 adds nothing: p95 allows no more requests over 100ms.']],
  [
    '{ service: shop, p99: 200ms, phases: { gc: { p99: 200ms } } }',
    '',
    ['0: p99:gc adds nothing: p99 allows no more requests over 200ms.']
  ],
  ['{ service: shop, p99: 200ms, phases: { gc: { p99: 100ms } } }', '', []],
  [
    '{ service: shop, operation: GET /, p95: 1s, p99: 2s }',
    'explain: { budget_rows_max: 1 }',
    ['all: operations named here have 2 targets, explain.budget_rows_max is 1: the rest will not be counted.']
  ]
])('%s %s', (entry, others, expected) => {
  expect(warnings(`budgets:\n  - ${entry}\n${others}`)).toEqual(expected)
})

test('what there is to warn of stands below its budget', () => {
  expect(words('budgets:\n  - { service: shop, p50: 200ms, p95: 100ms }').slice(2)).toEqual([
    '   Note: p50 adds nothing: p95 allows no more requests over 100ms.'
  ])
})
