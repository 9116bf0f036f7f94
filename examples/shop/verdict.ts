import { type Cause, type CauseName, causeOf, type Truth } from './causes.ts'
import { type Finding, type Findings, isRight } from './findings.ts'

/** What was found while a cause was on and off. */
export interface Verdict {
  readonly cause: CauseName
  /** On /metrics, live. */
  readonly metrics: Findings
  /** By `analyze`, of the same traffic; nothing where it was not asked. */
  readonly analysis: Findings | undefined
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`

export function inWords({ whole, local }: Findings, { truth, path = truth }: Cause): string {
  const judged = (finding: Finding, name: string, expected: Truth | undefined): string => {
    const verdict = expected === undefined ? '' : isRight(finding, expected) ? ', right' : ', WRONG'
    return `${name} (${percent(finding.share)}${verdict})`
  }
  const slow = whole && `purchases are slow because of ${judged(whole, nameOf(whole), path)}`
  const own = truth && local && `the tail of ${truth.service} itself is ${judged(local, local.phase, truth)}`
  return [slow, own].filter((part) => part !== undefined).join('; ') || 'no tail yet'
}

/** A cause that was not named, for purchases or for the tail of its own service, on /metrics or by `analyze`. */
export function isWrong({ cause, metrics, analysis }: Verdict): boolean {
  const { truth, path = truth }: Cause = causeOf(cause)
  if (truth === undefined || path === undefined) return false
  return [metrics, ...(analysis === undefined ? [] : [analysis])].some(
    ({ whole, local }) => !isRight(whole, path) || !isRight(local, truth)
  )
}

const COLUMNS = [
  'cause',
  'injected',
  'purchases, /metrics',
  'purchases, analyze',
  'its own tail, /metrics',
  'its own tail, analyze',
  'right'
] as const

/** As Markdown. `injected` is what purchases wait for, and in brackets what the service itself does, where that is not the same. */
export function table(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((verdict) => {
    const { cause, metrics, analysis } = verdict
    const { truth, path = truth }: Cause = causeOf(cause)
    const injected = truth === undefined || path === undefined ? 'nothing' : nameOf(path) + ownName(truth, path)
    const right = truth === undefined ? '' : isWrong(verdict) ? 'NO' : 'yes'
    const own = truth === undefined ? [undefined, undefined] : [metrics.local, analysis?.local]
    return [cause, injected, ...[metrics.whole, analysis?.whole, ...own].map(named), right]
  })
  return [COLUMNS, COLUMNS.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

const nameOf = ({ service, phase }: Truth | Finding): string => `${service}: ${phase}`

const ownName = (truth: Truth, path: Truth): string => (truth === path ? '' : ` (${nameOf(truth)})`)

const named = (finding: Finding | undefined): string =>
  finding === undefined ? '-' : `${nameOf(finding)} ${percent(finding.share)}`
