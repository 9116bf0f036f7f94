import { type Composition } from './composed-names.ts'

const uuid = String.raw`(?<![\p{L}\p{N}])[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![\p{L}\p{N}])`
const hexRun = String.raw`(?<![\p{L}\p{N}])(?=[a-f]*[0-9])[0-9a-f]{8,}(?![\p{L}\p{N}])`
const number = String.raw`(?<![\p{L}\p{N}_])[0-9]+(?![\p{L}\p{N}_])`
const identifiers = new RegExp(`${uuid}|${hexRun}|${number}`, 'giu')

/** What a shortened string ends with (runtime/strings.ts): its hash keeps long names apart, so it is no identifier. */
const shortened = /\u2026[0-9a-f]{8}$/

/** Writes ids and numbers as `{id}`, so that one operation has one name. Linear in the text. */
export function withoutIdentifiers(text: string): string {
  const cut = shortened.exec(text)
  if (cut === null) return text.replace(identifiers, '{id}')
  return text.slice(0, cut.index).replace(identifiers, '{id}') + cut[0]
}

/** Operation names by what the span has to say; `OperationName` numbers them. */
export const operationCompositions: readonly Composition[] = [
  (name) => withoutIdentifiers(name),
  (method, route) => `${method} ${withoutIdentifiers(route)}`,
  (method, service) => (service === '' || method.includes('/') ? method : `${service}/${method}`)
]
/** Of a span's name or a destination; of method and route; of RPC method and service. */
export const OperationName = { plain: 0, route: 1, rpc: 2 } as const
