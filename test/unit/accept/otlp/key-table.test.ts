import { expect, test } from '@jest/globals'
import { KeyTable, UNKNOWN_KEY } from '../../../../src/accept/otlp/key-table.ts'

function viewOf(text: string): DataView {
  return new DataView(new TextEncoder().encode(text).buffer)
}

test('every key is found by bytes and by text, and its neighbours are not', () => {
  const keys = ['a', 'b', 'http.route', 'http.routf', '__proto__', 'constructor', 'ключ']
  for (let i = 0; i < 3000; i++) keys.push(`key.${i}`)
  const table = new KeyTable([...keys, ...keys])
  keys.forEach((key, index) => {
    const view = viewOf(`<${key}>`)
    expect(table.find(view, 1, view.byteLength - 1)).toBe(index)
    expect(table.findText(key)).toBe(index)
    expect(table.find(view, 0, view.byteLength)).toBe(UNKNOWN_KEY)
  })
  for (const length of [1, 2, 3, 4, 5, 7, 8, 9, 12, 13]) {
    const key = 'abcdefghijklm'.slice(0, length)
    const one = new KeyTable([key])
    expect(one.find(viewOf(key), 0, length)).toBe(0)
    for (let at = 0; at < length; at++) {
      const other = `${key.slice(0, at)}_${key.slice(at + 1)}`
      expect(one.find(viewOf(other), 0, length)).toBe(UNKNOWN_KEY)
    }
  }
  expect(table.findText('toString')).toBe(UNKNOWN_KEY)
  expect(table.find(viewOf(''), 0, 0)).toBe(UNKNOWN_KEY)
})
