import { expect, test } from '@jest/globals'
import { expand } from '../../../src/settings/expand.ts'

const env = { A: 'one', EMPTY: '', REF: '${env:A}' }

test.each([
  ['plain', 'plain'],
  ['${env:A}', 'one'],
  ['${A}', 'one'],
  ['x-${env:A}-${env:A}', 'x-one-one'],
  ['${env:NONE:-two}', 'two'],
  ['${env:NONE:-}', ''],
  ['${env:NONE:-a:-b}', 'a:-b'],
  ['${env:A:-two}', 'one'],
  ['${env:EMPTY:-two}', ''],
  ['$$', '$'],
  ['$${env:A}', '${env:A}'],
  ['$$$${A}', '$${A}'],
  ['$$${A}', '$one'],
  ['100$', '100$'],
  ['$A', '$A'],
  ['${env:REF}', '${env:A}']
])('%s becomes %s', (text, expected) => {
  expect(expand(text, env)).toEqual({ text: expected, problems: [] })
})

test.each([
  ['${env:NONE}', 'the environment variable NONE is not set; set it, or give a default: ${env:NONE:-default}'],
  [
    '${file:/etc/passwd}',
    '${file:/etc/passwd} is not understood; write ${env:NAME} or ${env:NAME:-default}, and $$ for a dollar sign'
  ],
  ['${}', '${} is not understood; write ${env:NAME} or ${env:NAME:-default}, and $$ for a dollar sign'],
  ['${env:1A}', '${env:1A} is not understood; write ${env:NAME} or ${env:NAME:-default}, and $$ for a dollar sign']
])('%s is a mistake', (text, problem) => {
  expect(expand(text, env).problems).toEqual([problem])
})
