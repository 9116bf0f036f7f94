import { Document, visit } from 'yaml'

export const severities = ['critical', 'warning', 'info'] as const
export type Severity = (typeof severities)[number]

export interface RecordingRule {
  readonly record: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: Severity }
  readonly annotations: Readonly<Record<string, string>>
}

export interface RuleGroup {
  readonly name: string
  /** How often; Prometheus' own interval without it. */
  readonly interval?: string
  readonly rules: readonly (RecordingRule | AlertRule)[]
}

/** A file of rules as Prometheus loads it. Expressions and texts keep their lines. */
export function ruleFile(groups: readonly RuleGroup[], head: readonly string[]): string {
  const document = new Document({ groups })
  document.commentBefore = head.map((line) => ` ${line}`).join('\n')
  visit(document, {
    Pair(_key, { key, value }) {
      const name = (key as { value?: unknown }).value
      const scalar = value as { value?: unknown; type?: string }
      if (name === 'expr' || name === 'description') scalar.type = 'BLOCK_LITERAL'
    }
  })
  return document.toString({ lineWidth: 0, singleQuote: true })
}
