import { expect, test } from '@jest/globals'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createGunzipper } from '../../../src/accept/gunzip.ts'

test('says of mutated gzip what Node says of it', () => {
  const gunzip = createGunzipper(4096)
  const good = gzipSync(Buffer.from('seven spans in a batch of them '.repeat(30)))
  let random = 20_261_126
  for (let round = 0; round < 2000; round++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    const bytes = Buffer.from(good)
    bytes[random % bytes.length] = random >>> 24
    const mine = gunzip(bytes, 4000)
    let nodes: Buffer | string
    try {
      nodes = gunzipSync(bytes, { maxOutputLength: 4000 })
    } catch (error) {
      nodes = (error as NodeJS.ErrnoException).code ?? ''
    }
    expect(Buffer.isBuffer(mine) ? mine.toString('latin1') : mine.code).toBe(
      Buffer.isBuffer(nodes) ? nodes.toString('latin1') : nodes
    )
  }
})

test('makes no stream and no room for a body: what it gives lies in one memory', () => {
  const gunzip = createGunzipper(4096)
  const [one, two] = ['one', 'two'].map((text) => gunzip(gzipSync(text), 100) as Buffer)
  expect(two?.buffer).toBe(one?.buffer)
})
