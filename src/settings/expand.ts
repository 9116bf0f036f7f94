/** Environment variables, handed in by main.ts. */
export type Environment = Readonly<Record<string, string | undefined>>

export interface Expansion {
  readonly text: string
  readonly problems: readonly string[]
}

const REFERENCE = /\$\$|\$\{([^{}]*)\}/g
const VARIABLE = /^(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s

/**
 * Replaces `${env:NAME}`, `${env:NAME:-default}` and `${NAME}`; `$$` stands for a dollar sign. What a variable holds is not
 * expanded again. Unlike the Collector, a variable that is not set and has no default is a mistake: it would be an empty password.
 */
export function expand(text: string, env: Environment): Expansion {
  const problems: string[] = []
  const expanded = text.replace(REFERENCE, (whole, inner: string | undefined) => {
    if (inner === undefined) return '$'
    const [, name, fallback] = VARIABLE.exec(inner) ?? []
    if (name === undefined) {
      problems.push(`${whole} is not understood; write \${env:NAME} or \${env:NAME:-default}, and $$ for a dollar sign`)
      return whole
    }
    const value = env[name] ?? fallback
    if (value !== undefined) return value
    problems.push(`the environment variable ${name} is not set; set it, or give a default: \${env:${name}:-default}`)
    return ''
  })
  return { text: expanded, problems }
}
