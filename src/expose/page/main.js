import { copyBeside, questionOf, showQuestion } from './promql.js'
import { operationsView } from './operations-view.js'
import { routeOf } from './routes.js'

/**
 * @typedef {{ title: string, stop: () => void, focusFilter?: () => void }} View
 * @typedef {{ root: HTMLElement, state: (state: import('./live.js').LiveState) => void,
 *   setTitle: (title: string) => void, replaceQuery: (query: Record<string, string>) => void }} ViewTools
 */

const root = /** @type {HTMLElement} */ (document.getElementById('main'))
const liveSign = /** @type {HTMLElement} */ (document.getElementById('live'))
const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('query'))
const themeButton = /** @type {HTMLElement} */ (document.getElementById('theme'))

/** @type {View | undefined} */
let view
let shown = ''

const stateWords = { live: 'live', lost: 'no answer; trying again', still: 'paused' }
/** @type {ViewTools} */
const tools = {
  root,
  state(state) {
    liveSign.dataset['state'] = state
    if (liveSign.textContent !== stateWords[state]) liveSign.textContent = stateWords[state]
  },
  setTitle(title) {
    document.title = `${title} \u2013 Tailspan`
  },
  replaceQuery(query) {
    const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString()
    const hash = `${location.hash.split('?')[0] || '#/'}${text === '' ? '' : `?${text}`}`
    shown = hash
    history.replaceState(null, '', hash)
  }
}

/**
 * The first view is the one most come for; the code of the others comes when it is needed.
 * @param {import('./routes.js').Route} route
 * @returns {Promise<() => View>}
 */
async function opener({ view: name, query, id }) {
  if (name === 'operations') return () => operationsView(tools, query)
  if (name === 'operation') {
    const { operationView } = await import('./operation-view.js')
    return () => operationView(tools, query)
  }
  if (name === 'compare') {
    const { compareView } = await import('./compare-view.js')
    return () => compareView(tools, query)
  }
  const { traceView } = await import('./trace-view.js')
  return () => traceView(tools, id, query)
}

async function show() {
  if (location.hash === '#main') return
  if (location.hash === shown && view !== undefined) return
  const isFirst = view === undefined
  shown = location.hash
  const asked = shown
  const open = await opener(routeOf(location.hash))
  // Whoever was quicker than the code of a view is elsewhere by now.
  if (asked !== shown) return
  view?.stop()
  view = open()
  tools.setTitle(view.title)
  if (isFirst) return
  scrollTo(0, 0)
  root.focus({ preventScroll: true })
}

addEventListener('hashchange', () => void show())

document.addEventListener('click', (event) => {
  const { target } = event
  if (!(target instanceof Element)) return
  const pressed = target.closest('button')
  if (pressed === null) return
  if (pressed.dataset['copy'] !== undefined) void copyBeside(pressed)
  const { q: kind, ...about } = pressed.dataset
  if (kind === undefined) return
  const question = questionOf(kind, /** @type {Record<string, string>} */ (about))
  if (question !== undefined) showQuestion(dialog, question)
})

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return
  const typing = event.target instanceof HTMLInputElement
  if (event.key === '/' && !typing && view?.focusFilter !== undefined) {
    event.preventDefault()
    view.focusFilter()
  } else if (event.key === 'Escape' && !event.defaultPrevented) {
    if (typing) /** @type {HTMLElement} */ (event.target).blur()
    else if (routeOf(location.hash).view !== 'operations') history.back()
  }
})

const themes = ['system', 'light', 'dark']

/** What the reader chose, as far as the browser remembers it. */
function chosenTheme() {
  try {
    return localStorage.getItem('tailspan-theme') ?? 'system'
  } catch {
    return 'system'
  }
}

let theme = chosenTheme()
function showTheme() {
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  themeButton.textContent = `Theme: ${theme}`
  dispatchEvent(new Event('themechange'))
}

themeButton.addEventListener('click', () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system'
  try {
    localStorage.setItem('tailspan-theme', theme)
  } catch {
    // Then it is forgotten with the page.
  }
  showTheme()
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showTheme)

showTheme()
void show()
