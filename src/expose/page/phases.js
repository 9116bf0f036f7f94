import { h } from './dom.js'

/** What a request's time went to: name, word, and what it is. The order is that of every row of numbers. */
export const phases = /** @type {const} */ ([
  ['queue_wait', 'queue wait', 'waiting for a turn: pool, channel, semaphore, backlog'],
  ['scheduling', 'scheduling', 'ready to run, but not running'],
  ['gc', 'gc', 'stopped by the garbage collector'],
  ['allocator', 'allocator', 'in the memory allocator'],
  ['processing', 'processing', "running the service's own code"],
  ['downstream', 'downstream', 'waiting for a peer'],
  ['network', 'network', 'getting to a peer and back'],
  ['unattributed', 'unattributed', 'nothing proves what it was']
])
/** @typedef {typeof phases[number][0]} PhaseName */

/** @type {readonly PhaseName[]} */
export const phaseNames = phases.map(([name]) => name)
export const grades = /** @type {const} */ (['measured', 'inferred', 'estimated'])

/** @type {ReadonlyMap<string, { word: string, what: string }>} */
const words = new Map(phases.map(([name, word, what]) => [name, { word, what }]))

/** @param {string} phase */
export const phaseWord = (phase) => words.get(phase)?.word ?? phase
/** @param {string} phase */
export const phaseColour = (phase) => `var(--${words.has(phase) ? phase : 'unattributed'})`

/**
 * A phase by colour and word.
 * @param {string | null} phase
 */
export function phaseChip(phase) {
  if (phase === null) return h('span.muted', {}, '\u2013')
  return h(
    'span.chip',
    { style: { '--colour': phaseColour(phase) }, title: words.get(phase)?.what ?? '' },
    phaseWord(phase)
  )
}

export function phaseLegend() {
  return h('ul.legend', { 'aria-label': 'Phases' }, ...phaseNames.map((phase) => h('li', {}, phaseChip(phase))))
}

export function gradeLegend() {
  return h(
    'ul.legend',
    { 'aria-label': 'How sure a time is' },
    ...grades.map((grade) => h('li.chip-less', {}, h(`span.grade-sample.${grade}`, {}), ` ${grade}`))
  )
}

/**
 * Times by phase as one bar: a gradient with hair lines between phases, so that a row of the table is two elements.
 * @param {readonly number[]} times
 * @returns {string} a CSS image
 */
export function phaseGradient(times) {
  const total = times.reduce((sum, ns) => sum + ns, 0)
  if (total <= 0) return 'none'
  let from = 0
  const stops = times.flatMap((ns, at) => {
    if (ns <= 0) return []
    const to = from + (ns / total) * 100
    const [left, right] = [`${from.toFixed(2)}%`, `${to.toFixed(2)}%`]
    from = to
    const edge = `calc(${right} - 1px)`
    return [`var(--${phaseNames[at] ?? 'unattributed'}) ${left} ${edge}`, `var(--paper) ${edge} ${right}`]
  })
  return `linear-gradient(to right, ${stops.join(', ')})`
}

/**
 * The same in words, the largest first.
 * @param {readonly number[]} times
 * @returns {string}
 */
export function phaseWords(times) {
  const total = times.reduce((sum, ns) => sum + ns, 0)
  return phaseNames
    .map((phase, at) => ({ phase, share: total > 0 ? (times[at] ?? 0) / total : 0 }))
    .filter(({ share }) => share >= 0.005)
    .sort((a, b) => b.share - a.share)
    .map(({ phase, share }) => `${phaseWord(phase)} ${Math.round(share * 100)} %`)
    .join(', ')
}
