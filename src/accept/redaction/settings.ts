import { createRequire } from 'node:module'
import type * as Re2 from 're2js'
import { z } from 'zod'
import { section } from '../../runtime/setting-kinds.ts'

export const redactionActions = ['delete', 'hash', 'mask'] as const
export type RedactionAction = (typeof redactionActions)[number]

const TEXT_MAX = 512
const RULES_MAX = 100
const KEYS_MAX = 100

/** Linear in the text, whatever the pattern. Loaded when the first pattern needs it: it would cost every start a tenth of a second. */
export function compilePattern(pattern: string): Re2.RE2JS {
  const { RE2JS } = createRequire(import.meta.url)('re2js') as typeof Re2
  return RE2JS.compile(pattern)
}

const pattern = z
  .string()
  .min(1)
  .max(TEXT_MAX)
  .superRefine((written, context) => {
    try {
      compilePattern(written)
    } catch (reason) {
      context.addIssue({ code: 'custom', message: `not understood: ${String(reason)}` })
    }
  })

const rule = section({
  keys: z
    .array(z.string().min(1).max(TEXT_MAX))
    .min(1)
    .max(KEYS_MAX)
    .optional()
    .describe('Attributes of resources, scopes, spans, events, links and data points; * for any run of characters.'),
  values: pattern
    .optional()
    .describe(
      'What is found in texts, RE2 syntax, anywhere in them. Without keys, in every attribute and in names of spans and events and messages of statuses too.'
    ),
  action: z
    .enum(redactionActions)
    .describe(
      'With keys alone, of the whole value; else of what was found. delete takes the attribute away, of a name what was found; hash keeps equal values equal; mask writes ***.'
    )
}).superRefine(({ keys, values }, context) => {
  if (keys === undefined && values === undefined) {
    context.addIssue({ code: 'custom', message: 'expected keys, values or both' })
  }
})

export const redactionSection = section({
  rules: z
    .array(rule)
    .max(RULES_MAX)
    .default([])
    .describe(
      'What must not be kept. Of rules with keys alone the first that fits counts; all that have values are applied, in order. Service and operation names are made of what is left.'
    ),
  hash_key: z
    .string()
    .max(TEXT_MAX)
    .default('')
    .describe(
      'Secret that hashes are made with, so that nobody can try values; give it as ${env:NAME}, written with $$ here. Empty: a random one, so hashes change with every restart.'
    )
})

export interface RedactionRule {
  /** Empty = every text. */
  readonly keys: readonly string[]
  /** Undefined = the whole value. */
  readonly values: string | undefined
  readonly action: RedactionAction
}

export interface RedactionSettings {
  readonly rules: readonly RedactionRule[]
  /** Empty = random. */
  readonly hashKey: string
}

export function redactionSettings(parsed: z.output<typeof redactionSection>): RedactionSettings {
  return {
    rules: parsed.rules.map(({ keys = [], values, action }) => ({ keys, values, action })),
    hashKey: parsed.hash_key
  }
}
