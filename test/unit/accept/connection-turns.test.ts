import { expect, test } from '@jest/globals'
import { createConnectionTurns } from '../../../src/accept/connection-turns.ts'

const turnOver = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function busyFor(ms: number): void {
  const endMs = performance.now() + ms
  while (performance.now() < endMs);
}

test('everything runs, in order', async () => {
  const turns = createConnectionTurns(5)
  const ran: number[] = []
  await new Promise<void>((resolve) => {
    for (let i = 0; i < 100; i++) turns(() => void ran.push(i))
    turns(resolve)
  })
  expect(ran).toEqual(Array.from({ length: 100 }, (_, i) => i))
  await new Promise<void>(turns)
})

test('work that takes the turn’s time leaves the rest to later turns, what it left for the next tick included', async () => {
  const turns = createConnectionTurns(5)
  const ran: string[] = []
  turns(() => {
    ran.push('at once')
    busyFor(6)
  })
  turns(() => {
    process.nextTick(() => {
      ran.push('in its tick')
      busyFor(6)
    })
  })
  turns(() => void ran.push('last'))
  const seen: number[] = []
  while (!ran.includes('last')) {
    await turnOver()
    seen.push(ran.length)
  }
  expect(ran).toEqual(['at once', 'in its tick', 'last'])
  // Between any two of them others had a turn.
  expect(seen).toEqual(expect.arrayContaining([1, 2, 3]))
})
