import { expect, test } from '@jest/globals'
import { explainSection, explainSettings } from '../../../src/explain/index.ts'

test('an empty section is the defaults of the design', () => {
  expect(explainSettings(explainSection.parse({}))).toMatchObject({
    operationsMax: 500,
    rowIdleMs: 3_600_000,
    windowMs: 600_000,
    streamAfterMs: 60_000,
    classes: [],
    samplings: [],
    blameRootsMax: 100,
    culpritsMax: 16,
    retainedBytesMax: 64 * 1024 ** 2
  })
})

test('what is written is read in its units', () => {
  const written = {
    window: '5m',
    retained_bytes_max: '1MiB',
    classes: [{ match: 'shop/*', class: 'stream' }],
    sampling: [{ service: 'edge', kind: 'ratio', ratio: 0.1 }]
  }
  expect(explainSettings(explainSection.parse(written))).toMatchObject({
    windowMs: 300_000,
    retainedBytesMax: 1024 ** 2,
    classes: [{ match: 'shop/*', class: 'stream' }],
    samplings: [{ service: 'edge', kind: 'ratio', ratio: 0.1 }]
  })
})

test.each([
  { operation_max: 5 },
  { operations_max: 0 },
  { window: 600 },
  { classes: [{ match: 'a', class: 'cron' }] },
  { sampling: [{ service: 'a', kind: 'ratio', ratio: 0 }] }
])('%j is refused', (written) => {
  expect(explainSection.safeParse(written).success).toBe(false)
})
