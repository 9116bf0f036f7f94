import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { z } from 'zod'
import { durationMs, section, sizeBytes } from '../../../src/runtime/setting-kinds.ts'
import { jsonSchema, referenceYaml, writeQuantity } from '../../../src/settings/describe.ts'
import { settingsSchema } from '../../../src/settings/settings.ts'
import { configFiles } from '../../builders/config-files.ts'

test('the committed files are what the schemas say (else run: node test/generate-config.ts)', async () => {
  for (const [path, text] of Object.entries(await configFiles())) expect(readFileSync(path, 'utf8')).toBe(text)
})

const small = section({
  wait: durationMs.default(1500).describe('How long. Longer is slower.'),
  room: sizeBytes.prefault('2MiB'),
  mode: z.enum(['a', 'b']).default('a').describe('How.'),
  secret: z.string().optional().describe('None by default.'),
  rules: z.array(section({ name: z.string().describe('Whose.') })).default([]),
  inner: section({ on: z.boolean().default(true) }).prefault({})
})

test('the reference shows every key with its default, written as people write it', () => {
  expect(referenceYaml(small, ['Head.'])).toBe(`# Head.

# How long. Longer is slower.
wait: 1500ms

room: 2MiB

# How. One of a, b.
mode: a

# None by default.
# secret:

# The keys of an entry:
#   name: Whose.
rules: []

inner:
  on: true
`)
})

test('the JSON Schema has the same defaults, and lets typed values come from the environment', () => {
  const { properties } = JSON.parse(jsonSchema(small)) as { properties: Record<string, unknown> }
  expect(properties).toMatchObject({
    wait: { type: 'string', default: '1500ms', pattern: expect.any(String) },
    room: { type: 'string', default: '2MiB' },
    inner: { properties: { on: { default: true, anyOf: [{ type: 'boolean' }, { type: 'string' }] } } }
  })
})

test('every key of the settings file says what it is for', () => {
  const undescribed: string[] = []
  const look = (schema: z.ZodType, path: string): void => {
    const def = schema.def as { innerType?: z.ZodType; shape?: Record<string, z.ZodType> }
    if (def.shape !== undefined) for (const [key, member] of Object.entries(def.shape)) look(member, `${path}.${key}`)
    else if (def.innerType !== undefined && 'shape' in def.innerType) look(def.innerType, path)
    else if ((schema.description ?? '').length < 20) undescribed.push(path)
  }
  look(settingsSchema, '')
  expect(undescribed).toEqual([])
})

test.each([
  [0, 'duration', '0ms'],
  [250, 'duration', '250ms'],
  [90_000, 'duration', '90s'],
  [3_600_000, 'duration', '1h'],
  [1000, 'size', '1000B'],
  [64 * 1024 ** 2, 'size', '64MiB']
] as const)('%d as a %s is written %s', (value, quantity, text) => {
  expect(writeQuantity(value, quantity)).toBe(text)
})
