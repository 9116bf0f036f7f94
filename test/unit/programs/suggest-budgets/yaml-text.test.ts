import { expect, test } from '@jest/globals'
import { loadSettings } from '../../../../src/settings/settings.ts'
import { budgetsYaml } from '../../../../src/programs/suggest-budgets/yaml-text.ts'
import { type Suggestion } from '../../../../src/programs/suggest-budgets/suggestion.ts'

const suggestion = (service: string, operation: string): Suggestion => ({
  service,
  operation,
  requests: 12_043,
  targets: [
    { quantile: 'p95', seenNs: 84.2e6, targetNs: 100e6 },
    { quantile: 'p99.9', seenNs: 2_310e6, targetNs: 3_000e6 }
  ]
})

test('suggestions are a section to paste, with what each rests on', () => {
  const leftOut = [{ service: 'shop', operation: 'poll\n', why: 'background operations have no budgets' }]
  expect(budgetsYaml({ suggested: [suggestion('shop/cart', 'GET /cart/{id}')], leftOut }, 'a.jsonl')).toBe(
    `# Suggested by \`tailspan budgets suggest\` from a.jsonl.
# A target is what was seen and a tenth more, rounded up: what was, which need not be what is wanted.
# 2 targets in all; explain.budget_rows_max must be as large for all of them to count.
budgets:
  # 12,043 requests: p95 84.2 ms, p99.9 2.31 s
  - service: shop/cart
    operation: GET /cart/{id}
    p95: 100ms
    p99.9: 3s
# Left out:
#   shop  poll\\u000a: background operations have no budgets
`
  )
})

test('every name comes back as it is when the text is read as settings', () => {
  const names = [
    'a: b # c',
    '- x',
    "it's",
    '"quoted"',
    '${env:HOME}',
    '$$',
    'line\nbreak',
    '\u0000',
    '{id}',
    'true',
    '007',
    ' a ',
    '日本語',
    '*',
    '# x',
    '%',
    '@a',
    '`',
    '\\n',
    '\u2028'
  ]
  const suggested = names.map((name) => suggestion(`service ${name}`, name))
  const { budgets } = loadSettings(budgetsYaml({ suggested, leftOut: [] }, 'x'), 'f.yaml', { HOME: 'wrong' }).explain
  expect(budgets.map(({ service, operation }) => [service, operation])).toEqual(
    names.map((name) => [`service ${name}`, name])
  )
  expect(budgets[0]?.targets.map(({ name, thresholdNs }) => [name, thresholdNs])).toEqual([
    ['p95', 100e6],
    ['p99.9', 3e9]
  ])
})

test('with nothing to suggest the section is empty, and of many that are left out some are named', () => {
  const leftOut = Array.from({ length: 25 }, (_, i) => ({ service: 'shop', operation: `GET /${i}`, why: 'too few' }))
  const text = budgetsYaml({ suggested: [], leftOut }, 'http://127.0.0.1:9464')
  expect(text).toContain('\nbudgets: []\n# Left out:\n')
  expect(text).toMatch(/GET \/19: too few\n# {3}and 5 more\n$/)
})
