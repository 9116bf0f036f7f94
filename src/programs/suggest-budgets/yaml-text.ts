import { stringify } from 'yaml'
import { durationWords } from '../../explain/index.ts'
import { count, duration, printable } from '../analyze/words.ts'
import { type Suggestion, type Suggestions } from './suggestion.ts'

/** Operations without a suggestion that are named. */
const LEFT_OUT_SHOWN = 20

/** Suggestions as a section of the settings file, with what each rests on beside it. */
export function budgetsYaml({ suggested, leftOut }: Suggestions, from: string): string {
  const targets = suggested.reduce((sum, suggestion) => sum + suggestion.targets.length, 0)
  const lines = [
    `# Suggested by \`tailspan budgets suggest\` from ${printable(from)}.`,
    '# A target is what was seen and a tenth more, rounded up: what was, which need not be what is wanted.',
    `# ${targets} targets in all; explain.budget_rows_max must be as large for all of them to count.`,
    suggested.length === 0 ? 'budgets: []' : 'budgets:',
    ...suggested.flatMap(entry)
  ]
  if (leftOut.length === 0) return `${lines.join('\n')}\n`
  const names = leftOut
    .slice(0, LEFT_OUT_SHOWN)
    .map(({ service, operation, why }) => `#   ${printable(service)}  ${printable(operation)}: ${why}`)
  const more = leftOut.length > LEFT_OUT_SHOWN ? [`#   and ${count(leftOut.length - LEFT_OUT_SHOWN)} more`] : []
  return `${[...lines, '# Left out:', ...names, ...more].join('\n')}\n`
}

function entry({ service, operation, requests, targets }: Suggestion): string[] {
  const seen = targets.map(({ quantile, seenNs }) => `${quantile} ${duration(seenNs)}`).join(', ')
  const pattern = operation.includes('*') || service.includes('*') ? '; the * in its name matches anything' : ''
  return [
    `  # ${count(requests)} requests: ${seen}${pattern}`,
    `  - service: ${scalar(service)}`,
    `    operation: ${scalar(operation)}`,
    ...targets.map(({ quantile, targetNs }) => `    ${quantile}: ${durationWords(targetNs)}`)
  ]
}

/** A name as a value on one line; a dollar sign would begin a reference to the environment. */
function scalar(name: string): string {
  const escaped = name.replaceAll('$', '$$$$')
  const written = stringify(escaped, { lineWidth: 0 }).replace(/\n$/, '')
  return written.includes('\n') ? JSON.stringify(escaped) : written
}
