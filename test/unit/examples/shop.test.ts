import { describe, expect, it } from '@jest/globals'
import { HELP, readArguments } from '../../../examples/shop/arguments.ts'
import { causeNames, causeOf, type CauseName, isCauseName, planEpisodes } from '../../../examples/shop/causes.ts'
import { phases } from '../../../src/model/phases.ts'

const lastingSeconds = 600
const withEpisodes = causeNames.filter((name) => causeOf(name).switches.length > 0)

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

describe('the table of causes', () => {
  it('has every cause of the contract', () => {
    const contract =
      'queue db-pool starve gc tokio-stall allocator burn slow-dependency sleep retry hedge straggler ffi skew none'
    expect([...causeNames].toSorted()).toEqual(contract.split(' ').toSorted())
  })

  it.each(causeNames)('%s names a phase that exists, and says nothing where nothing is slow', (name) => {
    const { truth, switches, title } = causeOf(name)
    expect(title).not.toBe('')
    expect(truth === undefined).toBe(switches.length === 0)
    if (truth !== undefined) expect(phases).toContain(truth.phase)
  })

  it('knows its own names and no others', () => {
    expect(causeNames.every(isCauseName)).toBe(true)
    for (const name of ['', 'Queue', 'toString', '__proto__', '--seconds']) expect(isCauseName(name)).toBe(false)
  })
})

describe('episodes', () => {
  const plan = (name: CauseName, seed: number, seconds = lastingSeconds) => planEpisodes(name, { seed, seconds })

  it.each(withEpisodes)('%s is on for few percent of the time, in episodes that do not touch', (name) => {
    for (let seed = 0; seed < 20; seed++) {
      const episodes = plan(name, seed)
      const onMs = sum(episodes.map(({ lengthMs }) => lengthMs))
      // Long episodes hit only a share of the calls.
      const mostShare = causeOf(name).lengthMs === undefined ? 0.05 : 0.2
      expect(onMs / (lastingSeconds * 1e3)).toBeGreaterThan(0.01)
      expect(onMs / (lastingSeconds * 1e3)).toBeLessThan(mostShare)
      episodes.slice(1).forEach(({ atMs }, i) => {
        const before = episodes[i] ?? { atMs: Infinity, lengthMs: 0 }
        expect(atMs).toBeGreaterThan(before.atMs + before.lengthMs)
      })
    }
  })

  it('are the same for the same seed, others for another, and those of a longer run begin alike', () => {
    expect(plan('queue', 3)).toEqual(plan('queue', 3))
    expect(plan('queue', 4)).not.toEqual(plan('queue', 3))
    const short = plan('queue', 3, 40)
    expect(short.length).toBeGreaterThan(2)
    expect(plan('queue', 3).slice(0, short.length)).toEqual(short)
  })

  it('end before the load does, and there are none where none fits', () => {
    for (let seconds = 1; seconds < 40; seconds++) {
      for (const { atMs, lengthMs } of plan('gc', 5, seconds))
        expect(atMs + lengthMs).toBeLessThanOrEqual(seconds * 1e3)
    }
    expect(plan('queue', 1, 2)).toEqual([])
  })

  it('does not exist for causes that hold for the whole run', () => {
    expect(plan('none', 1)).toEqual([])
    expect(plan('skew', 1)).toEqual([])
  })
})

describe('the arguments of npm run shop', () => {
  it('have defaults', () => {
    expect(readArguments(['queue'])).toEqual({ causes: ['queue'], level: 'companion', seconds: 90, rate: 100, seed: 1 })
  })

  it('all is every cause, in turn', () => {
    expect(readArguments(['all'])?.causes).toEqual(causeNames)
  })

  it('are read in any order', () => {
    const args = ['--seconds', '5', '--level=waits', 'db-pool', '--rate', '20', '--seed', '0', '--truth', 'folder']
    const options = { causes: ['db-pool'], level: 'waits', seconds: 5, rate: 20, seed: 0, truthDir: 'folder' }
    expect(readArguments(args)).toEqual(options)
  })

  it.each([
    [[], /which cause\? One of: none, queue/],
    [['qeue'], /no cause is called qeue; there are: none, queue/],
    [['queue', 'gc'], /one cause at a time, not also gc/],
    [['queue', '--level', 'all'], /--level takes default, waits, companion, got all/],
    [['queue', '--seconds', '0'], /--seconds takes a number from 1 on, got 0/],
    [['queue', '--rate', 'x'], /--rate takes a number from 1 on, got x/],
    [['queue', '--rate', ''], /--rate takes a number from 1 on/],
    [['queue', '--seed=-1'], /--seed takes a number from 0 on, got -1/],
    [['queue', '--second', '5'], /Unknown option '--second'/]
  ])('%j is refused with a line that says why', (args, why) => {
    expect(() => readArguments(args)).toThrow(why)
  })

  it('explain every cause and option when asked', () => {
    expect(readArguments(['--help'])).toBeUndefined()
    for (const name of causeNames) expect(HELP).toContain(causeOf(name).title)
    for (const option of ['--level', '--seconds', '--rate', '--seed', '--truth']) expect(HELP).toContain(option)
  })
})
