import { existsSync, readFileSync } from 'node:fs'

interface JsonSpan {
  readonly spanId: string
  readonly kind?: number
  readonly attributes?: readonly { readonly key: string }[]
}
interface JsonExport {
  readonly resourceSpans?: readonly { readonly scopeSpans?: readonly { readonly spans?: readonly JsonSpan[] }[] }[]
}

export interface WrittenSpan {
  readonly id: string
  readonly kind: number
  readonly keys: readonly string[]
}

/** What a Collector's file exporter wrote so far: an export request in JSON a line. The last may be under way. */
export function writtenSpans(file: string): WrittenSpan[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.flatMap((line) => {
    const { resourceSpans = [] } = JSON.parse(line) as JsonExport
    const spans = resourceSpans.flatMap(({ scopeSpans = [] }) => scopeSpans.flatMap((scope) => scope.spans ?? []))
    return spans.map(({ spanId, kind = 0, attributes = [] }) => ({
      id: spanId,
      kind,
      keys: attributes.map(({ key }) => key)
    }))
  })
}
