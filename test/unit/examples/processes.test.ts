import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { startProcess } from '../../../examples/shop/processes.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

/** A service that says what it is told to, and ends well on SIGTERM. */
function serviceThatSays(line: string): string {
  const file = join(folder, 'service')
  writeFileSync(file, `#!/bin/sh\nsleep 60 &\ntrap 'kill $!; exit 0' TERM\nprintf '${line}'\nwait\n`)
  chmodSync(file, 0o755)
  return file
}

const start = (line: string) => startProcess({ name: 'it', binary: serviceThatSays(line), environment: {} })

test('a service is reached where it says that it listens', async () => {
  const service = await start('warming up\\nready 127.0.0.1:7 control 127.0.0.1:8\\n')
  expect(service).toMatchObject({ address: '127.0.0.1:7', control: '127.0.0.1:8' })
  expect(service).not.toHaveProperty('cache')
  await service.stop()
})

test('the cache listens in the process of another service', async () => {
  const service = await start('ready 127.0.0.1:7 control 127.0.0.1:8 cache 127.0.0.1:9\\n')
  expect(service.cache).toBe('127.0.0.1:9')
  await service.stop()
})

test('one that ends before it is ready is told of with what it said', async () => {
  const file = join(folder, 'service')
  writeFileSync(file, '#!/bin/sh\necho "listen: address already in use"\nexit 1\n')
  chmodSync(file, 0o755)
  const starting = startProcess({ name: 'it', binary: file, environment: {} })
  await expect(starting).rejects.toThrow('it ended before it was ready:\nlisten: address already in use')
})
