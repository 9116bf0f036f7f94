import { type z } from 'zod'
import { bare, defOf, quantityOf, schemaAt, shapeOf } from './schema-walk.ts'

export type Issue = z.core.$ZodIssue

/** What is wrong, in words, each with its path. An issue on unknown keys becomes one problem per key. */
export function describeIssue(
  schema: z.ZodType,
  issue: Issue,
  root: unknown
): { path: PropertyKey[]; message: string }[] {
  const meant = issue.code === 'invalid_union' ? alternativeMeant(issue) : undefined
  if (meant !== undefined) {
    return meant.flatMap((inner) => describeIssue(schema, { ...inner, path: [...issue.path, ...inner.path] }, root))
  }
  if (issue.code !== 'unrecognized_keys') return [{ path: [...issue.path], message: wording(schema, issue, root) }]
  const known = keysOf(schemaAt(schema, issue.path) ?? schema)
  return issue.keys.map((key) => ({ path: [...issue.path, key], message: unknownKey(key, known) }))
}

/** Of several forms that a value may take the one whose type it has: what is wrong within is worth more than a list of forms. */
function alternativeMeant(issue: Extract<Issue, { code: 'invalid_union' }>): readonly Issue[] | undefined {
  return issue.errors.find((issues) => issues.every(({ code, path }) => code !== 'invalid_type' || path.length > 0))
}

function keysOf(schema: z.ZodType): string[] {
  const shape = shapeOf(schema)
  if (shape !== undefined) return Object.keys(shape)
  return (defOf(bare(schema)).options ?? []).flatMap(keysOf)
}

function wording(schema: z.ZodType, issue: Issue, root: unknown): string {
  const value = valueAt(root, issue.path)
  switch (issue.code) {
    case 'invalid_type':
    case 'invalid_value':
    case 'invalid_union': {
      const expected = expectation(schemaAt(schema, issue.path) ?? schema)
      return value === undefined ? `missing; expected ${expected}` : `expected ${expected}, got ${show(value)}`
    }
    case 'too_small':
      if (value === '') return 'expected a text that is not empty'
      return `expected ${bound('at least', issue.inclusive, issue.minimum, issue.origin)}, got ${show(value)}`
    case 'too_big':
      return `expected ${bound('at most', issue.inclusive, issue.maximum, issue.origin)}, got ${show(value)}`
    case 'custom':
      return issue.message
    default:
      return `${issue.message.replace(/^Invalid/, 'invalid')}, got ${show(value)}`
  }
}

function bound(side: string, inclusive: boolean | undefined, limit: number | bigint, origin: string): string {
  const unit = ({ string: ' characters', array: ' entries' } as Readonly<Record<string, string>>)[origin] ?? ''
  const words = side === 'at least' ? 'more than' : 'less than'
  return `${inclusive === false ? words : side} ${limit}${unit}`
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = known
    .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 4)))
    .sort((a, b) => a.distance - b.distance)[0]
  if (nearest !== undefined) return `unknown key; did you mean ${nearest.candidate}?`
  return `unknown key; expected ${oneOf(known)}`
}

function oneOf(names: readonly string[]): string {
  return names.length === 1 ? String(names[0]) : `one of ${names.join(', ')}`
}

const typeWords: Readonly<Record<string, string>> = {
  object: 'a mapping of keys to values',
  record: 'a mapping of keys to values',
  array: 'a list',
  boolean: 'true or false'
}

/** What a schema takes, in words. */
function expectation(schema: z.ZodType): string {
  const quantity = quantityOf(schema)
  if (quantity === 'duration') return 'a duration like 250ms, 8s, 15m or 1h'
  if (quantity === 'size') return 'a size like 512KiB, 64MiB or 1GB'
  if (quantity === 'share') return 'a share like 5%, 1% or 0.1%'
  const def = defOf(bare(schema))
  if (def.options !== undefined) return def.options.map(expectation).join(' or ')
  if (def.entries !== undefined) return oneOf(Object.values(def.entries).map(String))
  if (def.values !== undefined) return oneOf(def.values.map(String))
  if (def.type === 'number' && def.format?.includes('int') === true) return 'a whole number'
  return typeWords[def.type] ?? `a ${def.type}`
}

const SHOWN_MAX = 60

function show(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  const text = JSON.stringify(value) as string | undefined
  return text === undefined ? 'nothing' : text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}\u2026` : text
}

export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return undefined
    value = (value as Readonly<Record<PropertyKey, unknown>>)[step]
  }
  return value
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      let best = Math.min(replace, (last[j] as number) + 1, (row[j - 1] as number) + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) best = Math.min(best, (beforeLast[j - 2] as number) + 1)
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] as number
}
