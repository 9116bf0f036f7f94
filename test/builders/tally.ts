/** Counts checks of a script that runs outside Jest, and closes with the line that CI reads. */
export interface Tally {
  readonly pass: (name: string) => void
  readonly fail: (name: string, why: string) => void
  readonly skip: (name: string, why: string) => void
  readonly equal: (name: string, actual: unknown, expected: unknown) => void
  readonly check: (name: string, holds: boolean, why: string) => void
  readonly counts: () => { readonly passed: number; readonly failed: number }
  /** Prints `N passed, N failed` and sets the exit code. */
  readonly close: () => void
}

export function createTally(): Tally {
  let passed = 0
  let failed = 0
  let skipped = 0
  const tally: Tally = {
    pass(name) {
      passed += 1
      console.log(`ok    ${name}`)
    },
    fail(name, why) {
      failed += 1
      console.log(`FAIL  ${name}: ${why}`)
    },
    skip(name, why) {
      skipped += 1
      console.log(`skip  ${name}: ${why}`)
    },
    equal(name, actual, expected) {
      tally.check(name, actual === expected, `expected ${String(expected)}, got ${String(actual)}`)
    },
    check(name, holds, why) {
      if (holds) tally.pass(name)
      else tally.fail(name, why)
    },
    counts: () => ({ passed, failed }),
    close() {
      // Nothing checked is not a success.
      if (failed > 0 || passed === 0) process.exitCode = 1
      console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
    }
  }
  return tally
}
