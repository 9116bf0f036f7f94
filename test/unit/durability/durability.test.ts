import { expect, jest, test } from '@jest/globals'
import { createDurability, type CountedTrace, type Durability } from '../../../src/durability/index.ts'
import { type LoggedRequest } from '../../../src/model/logged.ts'
import { loadSettings } from '../../../src/settings/settings.ts'
import { createDisk, type DiskModel } from '../../builders/disk-model.ts'

const MINUTE_MS = 60_000
const { durability: settings } = loadSettings(
  'durability: batch\nsegment_log: { directory: disk, gather: 0ms }',
  'none',
  {}
)

interface Life {
  readonly durability: Durability
  /** Bodies that the pipeline was given again. */
  readonly replayed: string[]
  /** Those of them that were passed on as they arrived. */
  readonly passedOn: string[]
  /** What the log says. */
  readonly said: string[]
}

/** A pipeline that only notes what it is given; `dies` is thrown while it reads the log, `busy` ticks and is scraped until it reads. */
async function begin(
  disk: DiskModel,
  options: {
    nowMs?: number
    onError?: 'refuse'
    dies?: true
    busy?: true
    passOn?: () => Promise<boolean>
    oldestUncounted?: number
  } = {}
): Promise<Life> {
  const replayed: string[] = []
  const passedOn: string[] = []
  const said: string[] = []
  const say = (_fields: object, message: string): void => void said.push(message)
  const durability = createDurability(
    { ...settings, onError: options.onError ?? 'degrade' },
    {
      nowMs: () => options.nowMs ?? 0,
      log: { info: say, warn: say, error: say },
      synced: () => undefined,
      openFolder: () => Promise.resolve(disk.folder)
    }
  )
  let through: (ids: Uint32Array, at: number) => number = () => -1
  let isReading = false
  async function tickUntilItReads(): Promise<void> {
    for (let nowMs = 0; !isReading; nowMs += MINUTE_MS) {
      durability.tick(nowMs)
      durability.scrape(true)()
      await new Promise(setImmediate)
    }
  }
  const opened = durability.open({
    oldestUncounted: () => options.oldestUncounted ?? Infinity,
    passOn: options.passOn && { atOnce: true, flush: options.passOn },
    replay: {
      begin(settled) {
        through = settled.through
        isReading = true
      },
      take({ body, sequence, passedOn: isPassedOn }: LoggedRequest) {
        const text = Buffer.from(body).toString()
        if (text === 'broken') throw new Error('not to be decoded')
        if (through(idOf(text), 0) < sequence) replayed.push(text)
        if (isPassedOn) passedOn.push(text)
      },
      recall: () => undefined,
      goOn: () => undefined,
      end: () => {
        if (options.dies) throw new Error('died')
        return true
      }
    }
  })
  if (options.busy) await tickUntilItReads()
  await opened.catch(() => undefined)
  return { durability, replayed, passedOn, said }
}

/** Bodies are texts; the first letter stands for the trace. */
const idOf = (text: string): Uint32Array => Uint32Array.of(0, 0, 0, text.charCodeAt(0))
const counted = (text: string, sequence: number): CountedTrace => ({
  traceId: idOf(text),
  custody: { first: sequence, last: sequence, parts: 1 }
})

/** Takes a body and gives its sequence, once it is kept. */
async function take({ durability }: Life, text: string): Promise<number> {
  let at = 0
  const { kept } = durability.keep(
    { signal: 'traces', encoding: 'protobuf', body: Buffer.from(text), lasts: true },
    (sequence) => {
      at = sequence
      return {}
    }
  )
  expect(await kept).toBe(true)
  return at
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
const samplesOf = ({ durability }: Life, name: string): number[] =>
  durability.counters
    .samples()
    .filter((sample) => sample.name === name)
    .map(({ value }) => value)

test('a large body that lasts is held until it is kept, others are copied', async () => {
  const disk = createDisk()
  const life = await begin(disk)
  const keep = (letter: string, bytes: number, lasts: boolean) => {
    const body = Buffer.alloc(bytes, letter)
    const { kept, holdsBody } = life.durability.keep(
      { signal: 'traces', encoding: 'protobuf', body, lasts },
      () => ({})
    )
    // As its room is lent to somebody else.
    if (holdsBody !== true) body.fill('!')
    return { kept, holdsBody }
  }
  const answers = [keep('a', 20_000, true), keep('b', 20_000, false), keep('c', 1_000, true)]
  expect(answers.map(({ holdsBody }) => holdsBody)).toEqual([true, false, false])
  expect(await Promise.all(answers.map(async ({ kept }) => kept))).toEqual([true, true, true])
  const next = await begin(disk.killed())
  expect(next.replayed).toEqual(['a'.repeat(20_000), 'b'.repeat(20_000), 'c'.repeat(1_000)])
})

test('what was counted and scraped is not given again; counted alone is, and so is what came since', async () => {
  const disk = createDisk()
  const before = await begin(disk)
  before.durability.counted(counted('a', await take(before, 'a')), 0)
  before.durability.counted(counted('b', await take(before, 'b')), 0)
  const served = before.durability.scrape(false)
  before.durability.counted(counted('c', await take(before, 'c')), 0)
  served()
  await take(before, 'd')
  await take(before, 'a late')
  await settle()
  expect((await begin(disk.killed())).replayed).toEqual(['c', 'd', 'a late'])
})

test.each([undefined, () => Promise.resolve(true)])(
  'neither ticks nor scrapes settle what an earlier process left before it is read',
  async (passOn) => {
    const forwarding = passOn && { passOn }
    const disk = createDisk()
    const before = await begin(disk, forwarding)
    await take(before, 'a')
    await take(before, 'b')
    const next = disk.killed()
    await begin(next, { ...forwarding, busy: true, dies: true })
    await settle()
    const last = await begin(next.killed(), forwarding)
    expect(last.replayed).toEqual(['a', 'b'])
    expect(last.passedOn).toEqual([])
  }
)

test('what was scraped is given again until it is passed on, and what is passed on as it arrives is said to be', async () => {
  const disk = createDisk()
  const passed = Promise.withResolvers<boolean>()
  const before = await begin(disk, { passOn: () => passed.promise, oldestUncounted: 1 })
  before.durability.counted(counted('a', await take(before, 'a')), 0)
  before.durability.scrape(false)()
  await take(before, 'b')
  await settle()
  const early = await begin(disk.killed())
  expect(early.replayed).toEqual(['a', 'b'])
  expect(early.passedOn).toEqual([])
  passed.resolve(true)
  await settle()
  const late = await begin(disk.killed())
  expect(late.replayed).toEqual(['b'])
  expect(late.passedOn).toEqual(['a'])
  // Whatever came before the end has been passed on by then.
  await before.durability.close()
  const closed = await begin(disk.killed())
  expect(closed.replayed).toEqual(['b'])
  expect(closed.passedOn).toEqual(['a', 'b'])
})

test('a trace whose series still show 0 is settled by the first scrape that shows them', async () => {
  const disk = createDisk()
  const before = await begin(disk, { nowMs: 10 })
  before.durability.counted(counted('n', await take(before, 'new')), 11)
  before.durability.counted(counted('o', await take(before, 'old')), 10)
  before.durability.scrape(false)()
  await settle()
  expect((await begin(disk.killed())).replayed).toEqual(['new'])
  before.durability.scrape(true)()
  await settle()
  expect((await begin(disk.killed())).replayed).toEqual([])
})

test('a request that is older than replay_age_max, or cannot be decoded, is passed over and counted', async () => {
  const disk = createDisk()
  await take(await begin(disk), 'old')
  const young = await begin(disk, { nowMs: 9 * MINUTE_MS })
  expect(young.replayed).toEqual(['old'])
  await take(young, 'broken')
  await take(young, 'young')
  const after = await begin(disk, { nowMs: 11 * MINUTE_MS })
  expect(after.replayed).toEqual(['young'])
  expect(samplesOf(after, 'tail_log_skipped_records_total')).toEqual([0, 1, 1, 0])
})

test('after the third process that died while it read the log, the next starts without and keeps the files', async () => {
  const disk = createDisk()
  await take(await begin(disk), 'deadly')
  for (let i = 0; i < 3; i++) expect((await begin(disk, { dies: true })).replayed).toEqual(['deadly'])
  const fourth = await begin(disk)
  expect(fourth.replayed).toEqual([])
  fourth.durability.tick(0)
  await settle()
  await take(fourth, 'after')
  expect(disk.names().filter((name) => name.endsWith('.corrupt')).length).toBeGreaterThan(0)
  expect((await begin(disk.killed())).replayed).toEqual(['after'])
})

test('on a full disk degrade takes in memory and says so, refuse tells senders to come back; both recover', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] })
  try {
    for (const onError of [undefined, 'refuse'] as const) {
      const disk = createDisk()
      const life = await begin(disk, onError === undefined ? {} : { onError })
      disk.trouble((operation) => {
        if (operation === 'write') throw Object.assign(new Error('full'), { code: 'ENOSPC' })
        return undefined
      })
      const { kept } = life.durability.keep(
        { signal: 'traces', encoding: 'json', body: Buffer.from('x'), lasts: true },
        () => ({})
      )
      expect(await kept).toBe(onError === undefined)
      expect(life.durability.state()?.degraded).toBe(true)
      expect(life.durability.admission() === undefined).toBe(onError === undefined)
      disk.trouble(undefined)
      await jest.advanceTimersByTimeAsync(1_000)
      expect(life.durability.state()?.degraded).toBe(false)
      expect(life.said.at(-1)).toBe('the segment log is written again')
    }
  } finally {
    jest.useRealTimers()
  }
})
