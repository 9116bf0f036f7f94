import { expect, test } from '@jest/globals'
import { Cursor, messageShape, Wire } from '../../../../src/accept/otlp/cursor.ts'

function cursorOver(...bytes: number[]): Cursor {
  const cursor = new Cursor()
  cursor.load(Uint8Array.from(bytes))
  return cursor
}

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  return [...bytes, Number(rest)]
}

test.each([0n, 1n, 127n, 128n, 300n, (1n << 32n) - 1n, 1n << 32n, (1n << 53n) - 1n, -1n, -300n, -(1n << 63n)])(
  'int64 reads %p',
  (value) => {
    const bytes = varint(value)
    const cursor = cursorOver(...bytes)
    expect(cursor.int64(bytes.length)).toBe(Number(value))
    expect(cursor.at).toBe(bytes.length)
  }
)

test('a varint gives its low 32 bits', () => {
  const bytes = varint(-2n)
  expect(cursorOver(...bytes).varint(bytes.length)).toBe(0xfffffffe)
})

test.each([
  [[0x7a], 122],
  [[0x85, 0x01], 133],
  [[0x80, 0x80, 0x01], 16384]
])('the tag of %p is %p', (bytes, tag) => {
  expect(cursorOver(...bytes).tag(bytes.length)).toBe(tag)
})

test('nothing is read beyond the given end, even where there are more bytes', () => {
  const bytes = [0x80, 0x01, 9, 9, 9, 9, 9, 9, 9, 9, 9]
  expect(() => cursorOver(...bytes).varint(1)).toThrow('byte 0: varint cut short')
  expect(() => cursorOver(...bytes).tag(0)).toThrow('byte 0')
  expect(() => cursorOver(...bytes).tag(1)).toThrow('byte 0')
  expect(() => cursorOver(...bytes).fixed(8, 7)).toThrow('byte 0: fixed-size field cut short')
  expect(() => cursorOver(3, 9, 9, 9).length(3)).toThrow('byte 0: length runs past the end of its parent')
  expect(cursorOver(3, 9, 9, 9).length(4)).toBe(4)
})

test('a field in another wire type than its own is refused, an unknown one is passed over', () => {
  const shape = messageShape({ 1: Wire.bytes })
  const cursor = cursorOver(0x08, 5, 0x10, 5)
  expect(() => {
    cursor.skip(cursor.tag(4), shape, 4)
  }).toThrow('field 1 has wire type 0 instead of 2')
  cursor.at = 2
  cursor.skip(cursor.tag(4), shape, 4)
  expect(cursor.at).toBe(4)
})

test('a part of a larger buffer is read as itself', () => {
  const cursor = new Cursor()
  cursor.load(Buffer.from([9, 9, 1, 0, 0, 0, 0, 0, 0, 0]).subarray(2))
  expect(cursor.view.getUint32(cursor.fixed(8, 8), true)).toBe(1)
})
