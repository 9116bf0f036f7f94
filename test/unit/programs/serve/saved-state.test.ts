import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import {
  createSavedState,
  type PipelineState,
  type SavedPipeline,
  type SavedState,
  STATE_FILE
} from '../../../../src/programs/serve/saved-state.ts'
import { writeStateFile } from '../../../../src/runtime/state-file.ts'

let directory = ''
let logged: string[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailspan-'))
  logged = []
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const learned = {
  schema: 'tailspan.learned/1',
  decompose: { schema: 'x', bodies: Array.from({ length: 4_500 }, (_, i) => ['shop', i]), edges: [] },
  explain: { thresholds: [{ service: 'shop' }] }
}

function savedState(state: Partial<PipelineState> = {}, into = directory): SavedState {
  const log = (fields: object, message: string): void => {
    logged.push(`${message} ${JSON.stringify(fields)}`)
  }
  return createSavedState(
    { directory: into, everyMs: 1e6, nowMs: () => 5_000, version: '1.2.3', log: { info: log, error: log } },
    {
      learned: () => learned,
      history: () => [Uint8Array.of(1, 2), Uint8Array.of(3)],
      restore: () => undefined,
      ...state
    }
  )
}

const counted = ({ counters }: SavedState): Record<string, number> =>
  Object.fromEntries(
    counters.samples().flatMap(({ name, labelValue, value }) => {
      return value === 0 ? [] : [[`${name} ${labelValue ?? ''}`, value]]
    })
  )

test('what one process saved the next one has, lists of any length whole', async () => {
  const first = savedState()
  await first.restore()
  await first.close()
  expect(counted(first)).toEqual({ 'tail_state_saves_total saved': 1 })
  const restored: [SavedPipeline, number][] = []
  const second = savedState({ restore: (saved, nowMs) => restored.push([saved, nowMs]) })
  await second.restore()
  const { decompose, explain } = learned
  expect(restored.map(([saved]) => saved.learned)).toEqual([{ decompose, explain }])
  expect(restored.map(([{ history }, nowMs]) => [history.map((bytes) => [...bytes]), nowMs])).toEqual([
    [[[1, 2], [3]], 5_000]
  ])
  expect(counted(second)).toEqual({ 'tail_state_restores_total restored': 1 })
  expect(logged.at(-1)).toMatch(/state restored .*"saved_unix_ms":5000,"by":"1.2.3"/)
})

test.each([
  [
    'damaged',
    (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 50), Buffer.from('x'), bytes.subarray(51)]),
    'damaged'
  ],
  ['foreign', () => Buffer.from('a letter from home, longer than any header'), 'not a state of Tailspan']
])('a %s file is put aside, told of and counted, and the service starts empty', async (_, change, why) => {
  await savedState().close()
  const path = join(directory, STATE_FILE)
  const bytes = change(readFileSync(path))
  writeFileSync(path, bytes)
  const next = savedState({
    restore() {
      throw new Error('not called')
    }
  })
  await next.restore()
  expect(counted(next)).toEqual({ 'tail_state_restores_total refused': 1 })
  expect(logged.at(-1)).toContain('state refused and put aside; starting empty')
  expect(logged.at(-1)).toContain(why)
  expect(existsSync(path)).toBe(false)
  expect(readFileSync(`${path}.refused`)).toEqual(bytes)
})

test('what another version wrote, and what a stage cannot read, is refused too', async () => {
  await writeStateFile(join(directory, STATE_FILE), [{ name: 'about', bytes: Buffer.from('{"schema":"later/9"}') }])
  const next = savedState()
  await next.restore()
  expect(logged.at(-1)).toContain('this version reads tailspan.state/1')
  await next.close()
  const strict = savedState({
    restore() {
      throw new TypeError('bodies[0]: expected a string')
    }
  })
  await strict.restore()
  expect(logged.at(-1)).toContain('bodies[0]: expected a string')
  expect(counted(strict)).toEqual({ 'tail_state_restores_total refused': 1 })
})

test('a folder where nothing can be written is refused before anything listens', async () => {
  const file = join(directory, 'a-file')
  writeFileSync(file, '')
  await expect(savedState({}, file).restore()).rejects.toThrow(/^data_directory: /)
})

test('a save that fails is counted and leaves the last one', async () => {
  await savedState().close()
  const failing = savedState({
    history() {
      throw new Error('no memory')
    }
  })
  await failing.close()
  expect(counted(failing)).toEqual({ 'tail_state_saves_total failed': 1 })
  const next = savedState()
  await next.restore()
  expect(counted(next)).toEqual({ 'tail_state_restores_total restored': 1 })
})
