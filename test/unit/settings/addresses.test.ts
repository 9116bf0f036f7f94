import { expect, test } from '@jest/globals'
import { addressWarnings } from '../../../src/settings/addresses.ts'
import { loadSettings } from '../../../src/settings/settings.ts'

const warnings = (text: string): string[] => addressWarnings(loadSettings(text, 'config.yaml', {}))

const credentials = 'access: { credentials: [{ file: tokens, may: [send, read_metrics] }] }\n'
const tls = 'tls: { cert_file: a, key_file: b }'

test('nothing is said of what is safe', () => {
  expect(warnings('')).toEqual([])
  expect(warnings(credentials)).toEqual([])
  expect(warnings(`${credentials}accept: { host: 0.0.0.0, ${tls} }`)).toEqual([])
})

test('tokens that cross a network in the clear are worth a word, by port', () => {
  expect(warnings(`${credentials}accept: { host: 0.0.0.0, ${tls} }\nexpose: { host: "::" }`)).toEqual([
    'expose.tls is not set, so tokens and passwords come to :: in the clear'
  ])
})

test('insecure is said at every start', () => {
  expect(warnings('insecure: true')).toEqual([
    'insecure: true, so whoever reaches these addresses may send spans and read every name'
  ])
})
