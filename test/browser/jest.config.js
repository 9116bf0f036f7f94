import { readFileSync } from 'node:fs'

const { jest } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

// The project's own Jest settings for the tests that need a real Chromium, which `npm test` leaves out.
export default {
  ...jest,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/browser/*.browser.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  testTimeout: 120_000
}
