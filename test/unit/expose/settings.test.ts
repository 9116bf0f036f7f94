import { expect, test } from '@jest/globals'
import { exposeSection, exposeSettings } from '../../../src/expose/settings.ts'

test('without a file the port is loopback 9464 and a new series shows 0 for 30 s', () => {
  const settings = exposeSettings(exposeSection.parse({}))
  expect(settings).toMatchObject({ host: '127.0.0.1', port: 9464, zeroFirstMs: 30_000, scrapesMax: 4 })
})

test('durations are read with their unit', () => {
  expect(exposeSettings(exposeSection.parse({ zero_first: '1m', scrape_timeout: '2s' }))).toMatchObject({
    zeroFirstMs: 60_000,
    scrapeTimeoutMs: 2000
  })
})

test.each([
  { port: 65_536 },
  { port: -1 },
  { zero_first: 30 },
  { scrapes_max: 0 },
  { hots: 'x' },
  { host: '' },
  { prometheus_url: 'javascript:alert(1)' }
])('%j is refused', (settings) => {
  expect(exposeSection.safeParse(settings).success).toBe(false)
})

test('every key says what it is', () => {
  for (const [key, schema] of Object.entries(exposeSection.shape))
    expect([key, schema.description?.length]).not.toEqual([key, undefined])
})
