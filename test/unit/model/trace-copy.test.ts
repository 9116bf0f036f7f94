import { expect, test } from '@jest/globals'
import { copyBytes, copyTrace, hexOfTraceId, joinLate, viewTrace } from '../../../src/model/trace-copy.ts'
import { type TraceColumns } from '../../../src/model/spans.ts'
import { traceColumns } from '../../builders/decompositions.ts'

/** Like the assembler's: columns longer than the trace. */
function roomy(trace: TraceColumns): TraceColumns {
  const startNs = new Float64Array(trace.n + 5).fill(99)
  startNs.set(trace.startNs)
  return { ...trace, startNs }
}

test('a copy shows the same columns and is untouched when its source is used again', () => {
  for (const spans of [0, 1, 2, 3, 7]) {
    const trace = traceColumns(5, spans)
    const copy = copyTrace(roomy(trace))
    trace.startNs.fill(0)
    trace.traceId[3] = 0
    expect(viewTrace(copy)).toEqual(traceColumns(5, spans))
    expect(copy.buffer.byteLength).toBe(copyBytes(spans, spans))
  }
})

test('late rows follow the others, counted from the earlier base', () => {
  const early = traceColumns(5, 2)
  const late = { ...traceColumns(5, 3), baseHi: 1, baseLo: 1_500, truncated: true }
  const after = viewTrace(joinLate(copyTrace(early), late))
  expect([...after.startNs]).toEqual([0, 1, 500, 501, 502])
  expect([after.baseLo, after.truncated, after.n]).toEqual([1_000, true, 5])
  expect([...after.evidenceEnd]).toEqual([1, 2, 3, 4, 5])
  expect([...after.evidence.b]).toEqual([0, 3, 0, 3, 6])

  const before = viewTrace(joinLate(copyTrace(late), early))
  expect([...before.endNs]).toEqual([510, 511, 512, 10, 11])
  expect(before.baseLo).toBe(1_000)
})

test('a base in another word of the clock is no obstacle', () => {
  const early = { ...traceColumns(5, 1), baseHi: 7, baseLo: 2 ** 32 - 1 }
  const late = { ...traceColumns(5, 1), baseHi: 8, baseLo: 9 }
  expect([...viewTrace(joinLate(copyTrace(early), late)).startNs]).toEqual([0, 10])
})

test('a trace id is 32 hex digits with its zeros', () => {
  expect(hexOfTraceId(Uint32Array.of(0x00ab, 0, 0xffffffff, 1))).toBe('000000ab00000000ffffffff00000001')
})
