import { spawnSync } from 'node:child_process'
import { test } from '@jest/globals'

export { startPrometheus, type Prometheus } from '../builders/monitoring.ts'

type Run = (name: string, work: (() => Promise<void>) | (() => void), timeoutMs?: number) => void

/** `test` where the programs are installed. Elsewhere a skip that says why, and on CI a failure. */
export function testWith(...programs: readonly string[]): Run {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).error !== undefined)
  if (missing.length === 0) return test
  const reason = `${missing.join(' and ')} not found: run test/prometheus/install.sh`
  if (process.env['CI'] !== 'true') {
    // Jest says nothing of a file whose tests are all skipped, nor what such a file logs.
    return (name, work) => {
      process.stderr.write(`SKIPPED, ${reason}: ${name}\n`)
      test.skip(name, work)
    }
  }
  return (name) => {
    test(name, () => {
      throw new Error(reason)
    })
  }
}
