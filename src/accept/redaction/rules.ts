import { createHmac, randomBytes } from 'node:crypto'
import type * as Re2 from 're2js'
import { createCounters, type Counters } from '../../runtime/counters.ts'
import { compileGlob } from '../../runtime/glob.ts'
import { compilePattern, redactionActions, type RedactionAction, type RedactionSettings } from './settings.ts'

export const redactionCounters = {
  tail_redacted_total: {
    help: 'Values and parts of texts that were deleted, hashed or masked before anything was kept of them.',
    label: 'action',
    values: redactionActions
  }
} as const

export interface PatternRule {
  readonly pattern: Re2.RE2JS
  readonly action: RedactionAction
}

/** Patterns that are looked for together, and short texts in which they found nothing: most texts come again and again. */
export interface PatternList {
  readonly rules: readonly PatternRule[]
  readonly clean: Set<string>
}

/** What is to be done about one attribute. */
export interface KeyVerdict {
  /** Of its value as a whole. */
  readonly whole: RedactionAction | undefined
  /** Else, of what is found in its texts. */
  readonly patterns: PatternList
}

export interface RedactionRules {
  readonly forKey: (key: string) => KeyVerdict
  /** Of texts that are no attribute. */
  readonly forNames: PatternList
  /** Undefined = it stays as it is, null = the attribute goes. */
  readonly applyTo: (text: string, patterns: PatternList, isName: boolean) => string | null | undefined
  /** Lets a text be passed over from now on, by whatever name the caller knows it. */
  readonly remember: (patterns: PatternList, name: string) => void
  /** Undefined = the attribute goes. */
  readonly replaceWhole: (action: RedactionAction, value: string | Uint8Array) => string | undefined
  readonly counters: Counters
}

export const MASK = '***'
/** What is nested deeper in one attribute is masked: nobody can say what it is. */
export const ANY_VALUE_DEPTH_MAX = 16
const HASH_HEX_DIGITS = 32
/** Over all lists; of at most this length, so they take a few MiB. */
const CLEAN_TEXTS_MAX = 16_384
export const CLEAN_TEXT_LENGTH_MAX = 128

export function createRedactionRules(settings: RedactionSettings): RedactionRules {
  const counters = createCounters(redactionCounters)
  const hashKey = settings.hashKey === '' ? randomBytes(32) : Buffer.from(settings.hashKey)
  const rules = settings.rules.map(({ keys, values, action }) => ({
    tests: keys.map(compileGlob),
    pattern: values === undefined ? undefined : compilePattern(values),
    action
  }))
  const lists = new Map<string, PatternList>()
  let cleanTexts = 0
  const forNames = listOf(rules.filter(({ tests }) => tests.length === 0))

  /** One list for all keys that the same patterns are for. */
  function listOf(fitting: typeof rules): PatternList {
    const name = fitting.map((rule) => rules.indexOf(rule)).join()
    const known = lists.get(name)
    if (known !== undefined) return known
    const found = fitting.flatMap(({ pattern, action }) => (pattern === undefined ? [] : [{ pattern, action }]))
    const list = { rules: found, clean: new Set<string>() }
    lists.set(name, list)
    return list
  }

  function count(action: RedactionAction): void {
    counters.add('tail_redacted_total', 1, redactionActions.indexOf(action))
  }

  /** Keyed, because values are few enough to try: all card numbers of a bank, all names of a town. */
  function hashOf(value: string | Uint8Array): string {
    return `hash:${createHmac('sha256', hashKey).update(value).digest('hex').slice(0, HASH_HEX_DIGITS)}`
  }

  function replaceFound(text: string, { pattern, action }: PatternRule): string {
    const matcher = pattern.matcher(text)
    let result = ''
    let from = 0
    while (matcher.find()) {
      const [start, end] = [matcher.start(), matcher.end()]
      if (start === end) continue
      count(action)
      result += text.slice(from, start)
      if (action !== 'delete') result += action === 'mask' ? MASK : hashOf(text.slice(start, end))
      from = end
    }
    return result + text.slice(from)
  }

  return {
    forNames,
    counters,
    forKey(key) {
      const fitting = rules.filter(({ tests }) => tests.length === 0 || tests.some((test) => test(key)))
      return {
        whole: fitting.find(({ pattern }) => pattern === undefined)?.action,
        patterns: listOf(fitting.filter(({ pattern }) => pattern !== undefined))
      }
    },
    applyTo(text, patterns, isName) {
      let result = text
      for (const rule of patterns.rules) {
        const replaced = replaceFound(result, rule)
        if (replaced === result) continue
        if (rule.action === 'delete' && !isName) return null
        result = replaced
      }
      return result === text ? undefined : result
    },
    remember(patterns, name) {
      if (cleanTexts >= CLEAN_TEXTS_MAX) {
        for (const list of lists.values()) list.clean.clear()
        cleanTexts = 0
      }
      patterns.clean.add(name)
      cleanTexts += 1
    },
    replaceWhole(action, value) {
      count(action)
      if (action === 'delete') return undefined
      return action === 'mask' ? MASK : hashOf(value)
    }
  }
}
