import { stringify } from 'yaml'
import { z } from 'zod'
import { bare, defaultOf, defOf, quantityOf, shapeOf, type Quantity } from './schema-walk.ts'

const COLUMNS = 100

/** The settings file with every key, its default, and why one would change it. */
export function referenceYaml(schema: z.ZodType, head: readonly string[]): string {
  const lines = head.map((line) => `# ${line}`.trimEnd())
  for (const [key, value] of Object.entries(shapeOf(schema) ?? {})) lines.push('', ...entry(key, value, ''))
  return lines.join('\n') + '\n'
}

function entry(key: string, schema: z.ZodType, indent: string): string[] {
  const lines = comment(describe(schema), indent)
  const members = Object.entries(shapeOf(schema) ?? {})
  if (members.length > 0) {
    lines.push(`${indent}${key}:`)
    for (const [name, member] of members) lines.push(...entry(name, member, `${indent}  `))
    return lines
  }
  lines.push(...listEntries(schema, indent))
  const value = writtenDefault(schema)
  if (value === undefined) lines.push(`${indent}# ${key}:`)
  else
    lines.push(
      ...stringify({ [key]: value }, { lineWidth: 0 })
        .trimEnd()
        .split('\n')
        .map((line) => indent + line)
    )
  return lines
}

function describe(schema: z.ZodType): string {
  const text = schema.description ?? ''
  const def = defOf(bare(schema))
  if (def.type !== 'enum') return text
  return `${text} One of ${Object.values(def.entries ?? {}).join(', ')}.`.trim()
}

/** The keys of a list's entries, as comments: the list itself is empty by default. */
function listEntries(schema: z.ZodType, indent: string): string[] {
  const { element } = defOf(bare(schema))
  const members = element === undefined ? [] : Object.entries(shapeOf(element) ?? {})
  if (members.length === 0) return []
  const described = members.flatMap(([key, member]) => comment(`${key}: ${describe(member)}`, indent, '  '))
  return [`${indent}# The keys of an entry:`, ...described]
}

/** Wrapped comment lines; those after the first are set back by `hang`. */
function comment(text: string, indent: string, hang = ''): string[] {
  if (text === '') return []
  const lines: string[] = []
  let line = `${indent}# ${hang}`
  const start = line.length
  for (const word of text.split(/\s+/)) {
    if (line.length + word.length > COLUMNS && line.length > start) {
      lines.push(line.trimEnd())
      line = `${indent}# ${hang}${hang}`
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()]
}

/** A default as a person writes it. */
function writtenDefault(schema: z.ZodType): unknown {
  const value = defaultOf(schema)
  const quantity = quantityOf(schema)
  return quantity !== undefined && typeof value === 'number' ? writeQuantity(value, quantity) : value
}

const units: Readonly<Record<Exclude<Quantity, 'share'>, readonly (readonly [string, number])[]>> = {
  duration: [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1]
  ],
  size: [
    ['GiB', 1024 ** 3],
    ['MiB', 1024 ** 2],
    ['KiB', 1024],
    ['B', 1]
  ]
}

export function writeQuantity(value: number, quantity: Quantity): string {
  if (quantity === 'share') return `${value * 100}%`
  const unit = units[quantity].find(([, size]) => value >= size && value % size === 0)
  if (unit !== undefined) return `${value / unit[1]}${unit[0]}`
  return `${value}${quantity === 'duration' ? 'ms' : 'B'}`
}

const patterns: Readonly<Record<Quantity, string>> = {
  duration: String.raw`^\d+(\.\d+)?(ms|s|m|h|d)$`,
  size: String.raw`^\d+(\.\d+)?(B|KiB|MiB|GiB|kB|MB|GB)$`,
  share: String.raw`^\d+(\.\d+)?%$`
}
/** Where a value comes from the environment, an editor cannot know its type. */
const reference = { type: 'string', pattern: String.raw`\$\{[^{}]+\}` }
const untyped = new Set(['number', 'integer', 'boolean'])

/** JSON Schema of the settings file, for editors. */
export function jsonSchema(schema: z.ZodType): string {
  const described = z.toJSONSchema(schema, {
    io: 'input',
    reused: 'inline',
    override({ zodSchema, jsonSchema: node }) {
      const here = zodSchema as unknown as z.ZodType
      const quantity = quantityOf(here)
      if (quantity !== undefined && node.type === 'string') node.pattern = patterns[quantity]
      const value = writtenDefault(here)
      if (value === undefined) return
      // The defaults of a section are those of its keys.
      if (shapeOf(here) === undefined) node.default = value
      else delete node.default
    }
  })
  return JSON.stringify(described, orReference, 2) + '\n'
}

function orReference(this: unknown, _key: string, node: unknown): unknown {
  if (Array.isArray(this) || !isTyped(node)) return node
  const { description, default: value, ...type } = node
  return { description, default: value, anyOf: [type, reference] }
}

function isTyped(node: unknown): node is Readonly<Record<string, unknown>> & { type: string } {
  return typeof node === 'object' && node !== null && 'type' in node && untyped.has(String(node.type))
}
