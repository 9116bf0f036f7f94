import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createQueueFolders } from '../../../src/forward/index.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tailspan-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

test('each destination has a folder of its name; folders of others are named, files are not', async () => {
  const folders = createQueueFolders(directory)
  expect(await folders.besides(['a'])).toEqual([])
  for (const name of ['a', 'b_2', 'c-3']) await folders.open(name)
  writeFileSync(join(directory, 'forward', 'note'), '')
  expect(readdirSync(join(directory, 'forward')).sort()).toEqual(['a', 'b_2', 'c-3', 'note'])
  expect(await folders.besides(['a'])).toEqual(['b_2', 'c-3'])
})

test('a folder that cannot be made is a mistake in the settings', async () => {
  writeFileSync(join(directory, 'forward'), '')
  await expect(createQueueFolders(directory).open('a')).rejects.toThrow('segment_log.directory')
  await expect(createQueueFolders(directory).besides([])).rejects.toMatchObject({ code: 'BAD_SETTINGS' })
})
