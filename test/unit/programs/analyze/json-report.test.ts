import { expect, test } from '@jest/globals'
import { createJsonReport } from '../../../../src/programs/analyze/json-report.ts'

const counts = { spans: 1, duplicates: 0, late: 0, invalid: 0, incomplete_traces: 0, evidence_conflicts: 0 }

function report(traces: readonly object[]): string {
  let text = ''
  const { trace, end } = createJsonReport({ write: (part) => (text += part), flush: () => undefined })
  for (const one of traces) trace(one)
  end({ operations: [], blame: [], boundaries: [] }, counts)
  return text
}

test('the document has the keys of the contract, in its order', () => {
  for (const traces of [[], [{ trace_id: 'a' }], [{ trace_id: 'a' }, { trace_id: 'b', spans: [] }]]) {
    const parsed = JSON.parse(report(traces)) as object
    expect(parsed).toEqual({ schema: 'tailspan.analyze/1', traces, operations: [], blame: [], boundaries: [], counts })
    expect(Object.keys(parsed)).toEqual(['schema', 'traces', 'operations', 'blame', 'boundaries', 'counts'])
  }
})

test('a giant trace is written in pieces to the same document', () => {
  const spans = Array.from({ length: 10_001 }, (_, i) => ({ span_id: String(i) }))
  const traces = [{ trace_id: 'a', complete: true, root: null, spans, requests: [] }, { trace_id: 'b' }]
  const text = report(traces)
  expect(JSON.parse(text)).toMatchObject({ traces })
  expect(Object.keys((JSON.parse(text) as { traces: object[] }).traces[0] ?? {})).toEqual(Object.keys(traces[0] ?? {}))
})
