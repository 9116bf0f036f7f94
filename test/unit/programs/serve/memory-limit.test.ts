import { execFileSync } from 'node:child_process'
import { expect, test } from '@jest/globals'

test('V8 has the flag that collectSeldom sets: of one that it does not know it says nothing', () => {
  expect(execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })).toContain('--heap-growing-percent')
})
