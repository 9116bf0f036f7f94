import { type TraceColumns } from '../model/spans.ts'

/** Exact, as text: a Unix time in ns does not fit a double. */
export function unixNano(trace: Pick<TraceColumns, 'baseHi' | 'baseLo'>, ns: number): string {
  return ((BigInt(trace.baseHi) << 32n) + BigInt(trace.baseLo) + BigInt(Math.trunc(ns))).toString()
}
