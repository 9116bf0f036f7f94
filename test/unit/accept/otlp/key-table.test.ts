import { expect, test } from '@jest/globals'
import { KeyTable, UNKNOWN_KEY } from '../../../../src/accept/otlp/key-table.ts'

const encoder = new TextEncoder()

test('every key is found by bytes and by text, and its neighbours are not', () => {
  const keys = ['a', 'b', 'http.route', 'http.routf', '__proto__', 'constructor', 'ключ']
  for (let i = 0; i < 3000; i++) keys.push(`key.${i}`)
  const table = new KeyTable([...keys, ...keys])
  keys.forEach((key, index) => {
    const bytes = encoder.encode(`<${key}>`)
    expect(table.find(bytes, 1, bytes.length - 1)).toBe(index)
    expect(table.findText(key)).toBe(index)
    expect(table.find(bytes, 0, bytes.length)).toBe(UNKNOWN_KEY)
  })
  expect(table.findText('toString')).toBe(UNKNOWN_KEY)
  expect(table.find(encoder.encode(''), 0, 0)).toBe(UNKNOWN_KEY)
})
