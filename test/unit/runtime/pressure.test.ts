import { expect, test } from '@jest/globals'
import { createPressure, type PressureCause, type Sight } from '../../../src/runtime/pressure.ts'
import { wholeNumbers } from '../../builders/whole-numbers.ts'

const LIMIT = 1000
const calm: Sight = { heldBytes: 500, spareBytes: 0, residentBytes: 600, lateMs: 0 }

/** What is said after each of these looks. */
function story(...sights: readonly Partial<Sight>[]): string[] {
  const pressure = createPressure(LIMIT)
  return sights.map((sight) => {
    pressure.look({ ...calm, ...sight })
    return pressure.causes().join('+') || 'calm'
  })
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

test('held memory refuses from 80 % on, and until it is below 75 %', () => {
  const held = [799, 800, 790, 751, 750, 749, 799]
  const said = story(...held.map((heldBytes) => ({ heldBytes })))
  expect(said).toEqual(['calm', 'memory', 'memory', 'memory', 'memory', 'calm', 'calm'])
})

test('pages of the process refuse at the limit, and until they are below 95 % of it', () => {
  const said = story(...[999, 1000, 950, 949, 999].map((residentBytes) => ({ residentBytes })))
  expect(said).toEqual(['calm', 'resident', 'resident', 'calm', 'calm'])
})

test('pages that stay although little is held refuse for ten seconds, then only when they grow, and never above 120 %', () => {
  const stuck = { heldBytes: 300, residentBytes: 1100 }
  const said = story(...times(100, stuck), stuck, { ...stuck, residentBytes: 1123 })
  expect(said.slice(0, 99)).toEqual(times(99, 'resident'))
  expect(said.slice(99)).toEqual(['calm', 'calm', 'resident'])
  expect(new Set(story(...times(500, { heldBytes: 300, residentBytes: 1200 })))).toEqual(new Set(['resident']))
  expect(new Set(story(...times(500, { heldBytes: 760, residentBytes: 1100 })))).toEqual(new Set(['resident']))
})

test('an event loop that is late once is no pressure; three times in a row it is, until it is on time three times', () => {
  const said = story(...[900, 500, 0, 500, 600, 700, 99, 99, 100, 0, 0, 0].map((lateMs) => ({ lateMs })))
  const late = times(6, 'event_loop')
  expect(said).toEqual(['calm', 'calm', 'calm', 'calm', 'calm', ...late, 'calm'])
})

test('above 95 % what is over 80 % is to be let go of; what waits to be used again is not counted', () => {
  const pressure = createPressure(LIMIT)
  const toFree = (heldBytes: number, spareBytes = 0): number => {
    pressure.look({ ...calm, heldBytes, spareBytes })
    return pressure.bytesToFree()
  }
  expect([toFree(949), toFree(950), toFree(2000), toFree(1000, 51), toFree(1000, 50)]).toEqual([0, 150, 1200, 0, 150])
})

test('whatever comes, each cause is on above its mark, off below the lower one, and changes are told exactly once', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = wholeNumbers(seed)
    const pressure = createPressure(LIMIT)
    let before: readonly PressureCause[] = []
    for (let step = 0; step < 500; step++) {
      const sight = {
        heldBytes: random(1200),
        spareBytes: random(200),
        residentBytes: random(1300),
        lateMs: random(1000)
      }
      const changed = pressure.look(sight)
      const causes = pressure.causes()
      expect(changed).toBe(causes.join() !== before.join())
      if (sight.heldBytes >= 800) expect(causes).toContain('memory')
      if (sight.heldBytes < 750) expect(causes).not.toContain('memory')
      if (sight.residentBytes >= 1200) expect(causes).toContain('resident')
      if (sight.residentBytes < 950) expect(causes).not.toContain('resident')
      before = causes
    }
  }
})
