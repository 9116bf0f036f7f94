import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { testExposer, type TestExposer } from './exposer.ts'

const folder = new URL('../../../src/expose/page/', import.meta.url)
const served = readdirSync(folder).filter((name) => /[.](?:html|css|js|svg)$/.test(name))
const urlOf = (name: string): string => (name === 'index.html' ? '/' : `/page/${name}`)
const textOf = (name: string): string => readFileSync(new URL(name, folder), 'utf8')

let open: TestExposer
beforeEach(() => {
  open = testExposer()
})
afterEach(() => open.exposer.app.close())

async function ask(url: string, headers: Record<string, string> = {}) {
  return open.exposer.app.inject({ url, headers })
}

test('every file of the page is served with its type, as it is in the folder', async () => {
  const types: Record<string, string> = {
    html: 'text/html',
    css: 'text/css',
    js: 'text/javascript',
    svg: 'image/svg+xml'
  }
  for (const name of served) {
    const answer = await ask(urlOf(name))
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['content-type']).toContain(types[name.replace(/.*[.]/, '')])
    expect(answer.payload).toBe(textOf(name))
  }
})

test('the policy lets a browser run only our own files, and read no text as HTML', async () => {
  const policy = String((await ask('/')).headers['content-security-policy']).split('; ')
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("script-src 'self'")
  expect(policy).toContain("style-src 'self'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).toContain("require-trusted-types-for 'script'")
  expect(policy.join(' ')).not.toMatch(/unsafe|https?:|data:|[*]/)
})

test('nothing is inline, nothing comes from another host, and no code makes HTML of text', () => {
  const page = textOf('index.html')
  expect(page).not.toMatch(/<script(?![^>]*\ssrc=)/)
  expect(page).not.toMatch(/<style|\sstyle=|\son\w+=/)
  for (const name of served) {
    const text = textOf(name).replaceAll(/xmlns="[^"]*"|'http:\/\/www\.w3\.org\/2000\/svg'|http:\/\/\$\{host\}/g, '')
    expect(text).not.toMatch(/https?:\/\//)
    expect(text).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|setAttribute\('style'/)
  }
})

test('every file that the page names is there', () => {
  const named = [...textOf('index.html').matchAll(/(?:href|src)="page\/([^"]+)"/g)].map(([, name]) => name)
  const imported = served.flatMap((name) =>
    [...textOf(name).matchAll(/(?:from |import\()'[.]\/([^']+)'/g)].map(([, other]) => other)
  )
  expect(new Set(served)).toEqual(new Set(['index.html', 'main.js', ...named, ...imported]))
})

test.each([
  ['the first view needs is at most 25 KB', ['index.html', ...firstFiles()], 25_000],
  ['there is, every view included, is at most 60 KB', served, 60_000]
])('all that %s', async (_, names, most) => {
  let bytes = 0
  for (const name of names) {
    const { rawPayload } = await ask(urlOf(name), { 'accept-encoding': 'gzip, br' })
    bytes += rawPayload.length
  }
  expect(bytes).toBeGreaterThan(5_000)
  expect(bytes).toBeLessThan(most)
})

/** What index.html names, and what that imports before anything is shown. */
function firstFiles(): string[] {
  const found = new Set<string>()
  const follow = (name: string): void => {
    if (found.has(name)) return
    found.add(name)
    if (!name.endsWith('.js')) return
    for (const [, other = ''] of textOf(name).matchAll(/^(?:import .*|\} )from '[.]\/([^']+)'/gm)) follow(other)
  }
  for (const [, name = ''] of textOf('index.html').matchAll(/(?:href|src)="page\/([^"]+)"/g)) follow(name)
  return [...found]
}

test('gzip when asked for; 304 while the reader has the right one', async () => {
  const plain = await ask('/page/main.js')
  const gzipped = await ask('/page/main.js', { 'accept-encoding': 'gzip' })
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(gzipped.headers['content-encoding']).toBe('gzip')
  expect(gunzipSync(gzipped.rawPayload).toString()).toBe(plain.payload)
  const etag = String(plain.headers['etag'])
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
    const answer = await ask('/page/main.js', { 'if-none-match': known })
    expect([answer.statusCode, answer.payload]).toEqual([304, ''])
  }
  expect((await ask('/page/main.js', { 'if-none-match': '"other"' })).statusCode).toBe(200)
})

test('the page is only read: other methods are 405, HEAD has no body', async () => {
  for (const url of ['/', '/page/main.js', '/api/v1/overview']) {
    expect((await open.exposer.app.inject({ url, method: 'POST' })).statusCode).toBe(405)
  }
  const head = await open.exposer.app.inject({ url: '/', method: 'HEAD' })
  expect([head.statusCode, head.payload]).toEqual([200, ''])
})

test.each([
  '/page/',
  '/page/nothing.js',
  '/page/tsconfig.json',
  '/page/../index.ts',
  '/page/..%2findex.ts',
  '/page/%2e%2e/index.ts'
])('%s is not served', async (url) => {
  expect((await ask(url)).statusCode).toBe(404)
})

test('every runbook is shown as it is in the folder, as text that a browser shows, and the list of them too', async () => {
  const runbooks = new URL('../../../deploy/runbooks/', import.meta.url)
  const names = readdirSync(runbooks)
  expect(names).toContain('TailBudgetBurnFast.md')
  for (const name of names) {
    const answer = await ask(`/runbooks/${name}`)
    expect([name, answer.statusCode]).toEqual([name, 200])
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(answer.payload).toBe(readFileSync(new URL(name, runbooks), 'utf8'))
  }
  expect((await ask('/runbooks/')).payload).toBe((await ask('/runbooks/README.md')).payload)
  expect((await ask('/runbooks/..%2f..%2fpackage.json')).statusCode).toBe(404)
})
