import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { readStateChunks, readStateFile, type StateChunk, writeStateFile } from '../../../src/runtime/state-file.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
  path = join(folder, 'below', 'the.state')
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

const chunk = (name: string, ...bytes: number[]): StateChunk => ({ name, bytes: Uint8Array.from(bytes) })
const chunks = [chunk('about', 1, 2, 3), chunk('empty'), chunk('h\u00f6he', 255, 0), chunk('about', 4)]
const plain = (found: readonly StateChunk[] | undefined) => found?.map(({ name, bytes }) => [name, ...bytes])

test('what was written is read again, in its order', async () => {
  const bytes = await writeStateFile(path, chunks)
  expect(readFileSync(path).length).toBe(bytes)
  expect(plain(await readStateFile(path, 1_000))).toEqual(plain(chunks))
  expect(readdirSync(join(folder, 'below'))).toEqual(['the.state'])
})

test('no file is no state; one over the limit is refused before it is read', async () => {
  expect(await readStateFile(path, 1_000)).toBeUndefined()
  await writeStateFile(path, chunks)
  await expect(readStateFile(path, 10)).rejects.toThrow(/bytes are more than 10/)
})

test('whichever byte is another, and wherever it is cut, the file is refused', async () => {
  await writeStateFile(path, chunks)
  const whole = readFileSync(path)
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] as number) ^ (1 << (at % 8))
    expect(() => readStateChunks(changed, 'x')).toThrow(/^x: /)
    expect(() => readStateChunks(whole.subarray(0, at), 'x')).toThrow(/^x: /)
  }
  expect(() => readStateChunks(Buffer.concat([whole, Buffer.from([0])]), 'x')).toThrow('damaged')
})

test('a foreign file, and one of another layout, are refused in words that say so', async () => {
  expect(() => readStateChunks(Buffer.from('{"schema": "something else"}'), 'x')).toThrow('not a state of Tailspan')
  await writeStateFile(path, chunks)
  const later = readFileSync(path)
  later.writeUInt32LE(2, 8)
  expect(() => readStateChunks(later, 'x')).toThrow('layout 2 is of another version; this one reads 1')
})

test('whoever fails while writing leaves the old file as it was', async () => {
  await writeStateFile(path, chunks)
  function* failing(): Generator<StateChunk> {
    yield chunk('about', 9)
    throw new Error('out of ideas')
  }
  await expect(writeStateFile(path, failing())).rejects.toThrow('out of ideas')
  expect(plain(await readStateFile(path, 1_000))).toEqual(plain(chunks))
  // And is not hindered by what it left behind.
  writeFileSync(`${path}.new`, 'half')
  await writeStateFile(path, [chunk('about', 7)])
  expect(plain(await readStateFile(path, 1_000))).toEqual([['about', 7]])
})
