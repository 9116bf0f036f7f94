import { randomBytes } from 'node:crypto'
import { spanBytes, traceBody } from './bodies.ts'

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8

/** A body of single-span traces that is encoded once; each call gives it ids of its own, so that sending costs next to nothing. */
export function createTemplate(service: string, spans: number): () => Uint8Array {
  const ids = Array.from({ length: spans }, () => ({
    traceId: randomBytes(TRACE_ID_BYTES),
    spanId: randomBytes(SPAN_ID_BYTES)
  }))
  const bytes = traceBody(
    service,
    ids.map((id, i) => spanBytes({ name: `GET /${'abcdefghij'.charAt(i % 10)}`, ...id }))
  )
  // The ends of the ids are a number that never comes again.
  const places = ids.map(({ traceId, spanId }) => [
    bytes.indexOf(traceId) + TRACE_ID_BYTES - 6,
    bytes.indexOf(spanId) + SPAN_ID_BYTES - 6
  ])
  let issued = 0
  return () => {
    for (const [traceEnd = 0, spanEnd = 0] of places) {
      issued += 1
      bytes.writeUIntBE(issued, traceEnd, 6)
      bytes.writeUIntBE(issued, spanEnd, 6)
    }
    return Uint8Array.from(bytes)
  }
}
