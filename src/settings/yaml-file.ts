import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Scalar } from 'yaml'
import { expand, type Environment } from './expand.ts'

export interface Problem {
  readonly line: number
  readonly message: string
}
export type Path = readonly PropertyKey[]

/** A YAML file as a plain value, with the line of every path, and the text behind every value that came from the environment. */
export interface YamlFile {
  readonly value: unknown
  readonly problems: readonly Problem[]
  /** False when the YAML is too broken to look further. */
  readonly readable: boolean
  readonly lineOf: (path: Path) => number
  readonly expandedText: (path: Path) => string | undefined
}

const ALIASES_MAX = 1000

export function readYaml(text: string, env: Environment): YamlFile {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const lineAt = (offset: number | undefined): number => Math.max(1, lines.linePos(offset ?? 0).line)
  const problems: Problem[] = [...document.errors, ...document.warnings].map((error) => ({
    line: lineAt(error.pos[0]),
    message: error.code === 'DUPLICATE_KEY' ? 'this key is already there above' : error.message
  }))
  // Broken YAML has no meaning that could be checked further; a doubled key has.
  let readable = document.errors.every((error) => error.code === 'DUPLICATE_KEY')
  const expanded = new Map<unknown, string>()
  visit(document, {
    Scalar(key, node) {
      if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('$')) return
      const expansion = expand(node.value, env)
      for (const message of expansion.problems) problems.push({ line: lineAt(node.range?.[0]), message })
      if (expansion.text === node.value) return
      expanded.set(node, expansion.text)
      node.value = typed(expansion.text)
    },
    Alias(_, node) {
      if (node.resolve(document) !== undefined) return
      readable = false
      problems.push({
        line: lineAt(node.range?.[0]),
        message: `*${node.source}: nothing above is marked &${node.source}`
      })
    }
  })
  return {
    value: readable ? plain(document, problems) : undefined,
    problems,
    readable,
    lineOf: (path) => lineAt(locate(document, path).offset),
    expandedText: (path) => expanded.get(locate(document, path).node)
  }
}

function plain(document: Document.Parsed, problems: Problem[]): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown
  } catch (reason) {
    problems.push({ line: 1, message: String(reason) })
    return undefined
  }
}

/** What the environment gave is a number, a list and so on by the rules of YAML, unless those would only change its text. */
function typed(text: string): unknown {
  const document = parseDocument(text)
  if (document.errors.length > 0) return text
  const value = document.toJS() as unknown
  return typeof value === 'string' ? text : value
}

/** The node at a path, and where its key (or, in a list, itself) stands; the nearest parent's where the path leads nowhere. */
function locate(document: Document.Parsed, path: Path): { node: unknown; offset: number | undefined } {
  let node: unknown = document.contents
  let offset = document.contents?.range[0]
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap<Scalar>(node)) {
      const pair = node.items.find((item) => String(item.key.value) === String(step))
      if (pair === undefined) return { node: undefined, offset }
      offset = pair.key.range?.[0]
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      if (isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)) offset = node.range?.[0]
    } else {
      return { node: undefined, offset }
    }
  }
  return { node, offset }
}
