import { expect, test } from '@jest/globals'
import { createLog } from '../../../src/runtime/log.ts'

test('an event is one JSON line with level, time and fields; those below the level are not written', () => {
  const lines: string[] = []
  const log = createLog('info', { write: (line) => lines.push(line) })
  log.debug('unseen')
  log.warn({ port: 4317, err: new Error('broken\npipe') }, 'told')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[^\n]*\n$/)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    port: 4317,
    err: { message: 'broken\npipe' },
    msg: 'told'
  })
  log.level = 'debug'
  log.debug('seen')
  expect(lines).toHaveLength(2)
})
