import { type z } from 'zod'
import { Fault } from '../runtime/fault.ts'
import { type Environment } from './expand.ts'
import { describeIssue, valueAt, type Issue } from './problems.ts'
import { readYaml, type Path, type Problem, type YamlFile } from './yaml-file.ts'

/** A rule across sections; gets the file's value as it is written, so that it speaks up beside other mistakes. */
export type CrossCheck = (written: unknown) => { path: Path; message: string }[]

export interface SettingsSource {
  readonly text: string
  readonly fileName: string
  readonly env: Environment
}

/** Reads one YAML file against a schema. Throws one Fault that names every problem, a line each. */
export function checkSettings<T>(schema: z.ZodType<T>, source: SettingsSource, crossCheck: CrossCheck): T {
  const file = readYaml(source.text, source.env)
  const problems = [...file.problems]
  let parsed: T | undefined
  if (file.readable) {
    const tree = file.value ?? {}
    const result = parseRepairing(schema, tree, file)
    const found = result.success ? [] : result.error.issues.flatMap((issue) => describeIssue(schema, issue, tree))
    found.push(...crossCheck(tree).map(({ path, message }) => ({ path: [...path], message })))
    // A line that could not be read would only be reported again, in worse words.
    const unread = new Set(file.problems.map((problem) => problem.line))
    for (const { path, message } of found) {
      const line = file.lineOf(path)
      if (!unread.has(line))
        problems.push({ line, message: path.length === 0 ? message : `${spell(path)}: ${message}` })
    }
    if (result.success) parsed = result.data
  }
  if (problems.length > 0 || parsed === undefined) throw fault(source.fileName, problems)
  return parsed
}

function fault(fileName: string, problems: Problem[]): Fault {
  problems.sort((a, b) => a.line - b.line)
  const lines = new Set(problems.map(({ line, message }) => `${fileName}:${line}: ${message}`))
  return new Fault('BAD_SETTINGS', [...lines].join('\n'))
}

/** `accept.tokens[0].name` */
function spell(path: Path): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '')
}

function parseRepairing<T>(schema: z.ZodType<T>, tree: unknown, file: YamlFile): z.ZodSafeParseResult<T> {
  for (;;) {
    const result = schema.safeParse(tree)
    if (result.success) return result
    // Every repair changes a value that no repair changes again, so this ends.
    if (!result.error.issues.map((issue) => repair(tree, issue, file)).includes(true)) return result
  }
}

/** YAML reads two things otherwise than people mean them: a key without a value is an absent key, and digits may be text. */
function repair(tree: unknown, issue: Issue, file: YamlFile): boolean {
  const parent = valueAt(tree, issue.path.slice(0, -1))
  const key = issue.path.at(-1)
  if (key === undefined || typeof parent !== 'object' || parent === null) return false
  const members = parent as Record<PropertyKey, unknown>
  const value = members[key]
  if (value === null && !Array.isArray(parent)) return Reflect.deleteProperty(members, key)
  if (issue.code !== 'invalid_type' || issue.expected !== 'string' || typeof value === 'string') return false
  const text = file.expandedText(issue.path)
  if (text === undefined) return false
  members[key] = text
  return true
}
