import { expect, test } from '@jest/globals'
import { createHeld } from '../../../../src/decompose/judge/inference/held.ts'
import { traceColumns } from '../../../builders/decompositions.ts'

const WAIT_MS = 2_000

function heldTraces(bytesMax: number) {
  const said = { early: 0 }
  const held = createHeld({
    waitMs: WAIT_MS,
    bytesMax,
    early() {
      said.early += 1
    }
  })
  const add = (id: number, nowMs: number): void => {
    held.add(traceColumns(id, 3), { contextRows: 3, suspects: new Float64Array(1), firstRequest: id }, nowMs)
  }
  return { held, said, add }
}

test('traces come in order, each when its time has come', () => {
  const { held, said, add } = heldTraces(1e6)
  add(1, 0)
  add(2, 10)
  expect(held.due(WAIT_MS - 1)).toBe(false)
  expect(held.due(WAIT_MS)).toBe(true)
  expect(held.take().firstRequest).toBe(1)
  expect(held.due(WAIT_MS)).toBe(false)
  expect(held.due(Infinity)).toBe(true)
  expect(held.take().firstRequest).toBe(2)
  expect(held.due(Infinity)).toBe(false)
  expect(said.early).toBe(0)
  expect(held.bytes()).toBe(0)
})

test('one that must go for want of room is said once, however often it was asked for', () => {
  const { held, said, add } = heldTraces(1)
  add(1, 0)
  for (let time = 0; time < 5; time++) expect(held.due(1)).toBe(true)
  held.take()
  expect(said.early).toBe(1)
  add(2, 1)
  expect(held.due(1 + WAIT_MS)).toBe(true)
  held.take()
  expect(said.early).toBe(1)
})
