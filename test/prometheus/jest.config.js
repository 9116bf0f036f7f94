import { readFileSync } from 'node:fs'

const { jest } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

// The project's own Jest settings for the tests that need a real Prometheus, which `npm test` leaves out.
export default {
  ...jest,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/prometheus/*.prom.ts'],
  testTimeout: 60_000
}
