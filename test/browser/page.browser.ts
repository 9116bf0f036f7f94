import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { type Browser, type BrowserContextOptions, type Page } from 'playwright-core'
import { findChromium, NO_CHROMIUM, startChromium } from './chromium.ts'
import { openPage, sendGiant, sendOperations, startScene, type Scene } from './scene.ts'

const OPERATIONS = 497
const HOSTILE = {
  service: '<img src=x onerror="window.hacked=true">',
  operation: '"><script>window.hacked=true</script>{{a*b}}\u202e"} or vector(x) #'
}
/** Spans of the giant: 200 calls of 100 spans, and the root. */
const GIANT_SPANS = 20_001
const ROWS_IN_SIGHT_MAX = 60
const KIB = 1024

const chromium = findChromium()
if (chromium === undefined) test.skip(`skipped, for there is ${NO_CHROMIUM}`, () => undefined)
else
  describe('the page in Chromium', () => {
    pageTests(chromium)
  })

function pageTests(executablePath: string): void {
  let browser: Browser
  let scene: Scene
  let giant = ''
  let opened: Awaited<ReturnType<typeof openPage>> | undefined

  beforeAll(async () => {
    browser = await startChromium(executablePath)
    scene = await startScene()
  })
  afterAll(async () => {
    await browser.close()
    await scene.stop()
  })
  afterEach(async () => {
    const { page, complaints } = opened ?? {}
    opened = undefined
    if (page === undefined) return
    const hacked = await page.evaluate(() => 'hacked' in window)
    await page.context().close()
    expect([complaints, hacked]).toEqual([[], false])
  })

  async function open(hash = '', options: BrowserContextOptions = {}): Promise<Page> {
    opened = await openPage(browser, { viewport: { width: 1280, height: 800 }, ...options })
    await opened.page.goto(scene.url(hash))
    return opened.page
  }

  const rows = (page: Page) => page.locator('.operations tbody tr')
  const focusedText = async (page: Page): Promise<string> =>
    page.evaluate(() => document.activeElement?.textContent ?? '')

  test('without spans it tells where to send them, for Go and Rust, with the ports that listen', async () => {
    const page = await open()
    await page.getByRole('heading', { name: 'Waiting for the first traces' }).waitFor()
    const text = await page.locator('main').innerText()
    expect(text).toContain(`OTEL_EXPORTER_OTLP_ENDPOINT=http://${scene.service.grpc}`)
    expect(text).toContain(`OTEL_EXPORTER_OTLP_ENDPOINT=http://${scene.service.http}`)
    expect(text).toContain('otlptracegrpc.New')
    expect(text).toContain('SpanExporter::builder()')

    await sendOperations(scene, OPERATIONS, 212)
    giant = await sendGiant(scene, 200, 100)
    await scene.exporter.send({ ...hostileSpan(), children: [hostileSpan()] }, Date.now() - 500)
    await scene.settle()
    // It notices by itself.
    await rows(page).first().waitFor()
  })

  test('500 operations: all there, sorted, within 100 KiB from our own host alone', async () => {
    opened = await openPage(browser, { viewport: { width: 1280, height: 800 } })
    const { page } = opened
    const session = await page.context().newCDPSession(page)
    await session.send('Network.enable')
    let bytes = 0
    session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength))
    const hosts = new Set<string>()
    page.on('request', (request) => hosts.add(new URL(request.url()).host))
    await page.addInitScript(noteFirstRow)
    await page.goto(scene.url())
    await rows(page).first().waitFor()
    const usableMs = await page.evaluate(() => performance.getEntriesByName('first-row')[0]?.startTime ?? NaN)
    await page.waitForFunction(() => document.querySelectorAll('.operations tbody tr').length === 500)
    expect([...hosts]).toEqual([scene.service.metrics])
    expect(bytes).toBeGreaterThan(10 * KIB)
    expect(bytes).toBeLessThan(100 * KIB)
    console.log(`first view: ${Math.round(bytes / KIB)} KiB transferred, rows after ${Math.round(usableMs)} ms`)
    const excess = await page.locator('td.excess').allInnerTexts()
    const known = excess.slice(0, OPERATIONS).map((text) => parseFloat(text))
    expect(known).toEqual([...known].sort((a, b) => b - a))
  })

  test('with the keyboard alone: filter, row, number, query, operation, and back', async () => {
    const page = await open()
    await rows(page).first().waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('resources/r123')
    await page.waitForFunction(() => document.querySelectorAll('.operations tbody tr').length === 1)
    expect(page.url()).toContain('filter=resources%2Fr123')
    await page.keyboard.press('ArrowDown')
    expect(await focusedText(page)).toBe('GET /resources/r123')
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Enter')
    const dialog = page.locator('dialog')
    await dialog.waitFor()
    expect(await dialog.locator('code').innerText()).toBe(
      'max(tail_band_threshold_seconds{service_name="service-3",operation="GET /resources/r123",quantile="0.99"})'
    )
    await page.keyboard.press('Escape')
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'GET /resources/r123' }).waitFor()
    expect(await page.locator('.verdict').innerText()).toMatch(/longer than a usual one.*queue wait/)
    await page.keyboard.press('Escape')
    await rows(page).first().waitFor()
    expect(await page.locator('#filter').inputValue()).toBe('resources/r123')
  })

  test('an operation: distribution, excess by phase, blame to the culprit, kept traces with outcome and version', async () => {
    const page = await open('#/operation?service=service-3&operation=GET+%2Fresources%2Fr123')
    await page.locator('.distribution rect').first().waitFor()
    expect(await page.locator('.distribution').getAttribute('aria-label')).toMatch(/212 requests; half within/)
    expect(await page.locator('.excess tbody tr').first().innerText()).toContain('usual')
    expect(await page.locator('.excess tbody tr').nth(1).innerText()).toMatch(/queue wait.*measured/s)
    const kept = await page.locator('table').last().locator('tbody tr').first().innerText()
    expect(kept).toMatch(/queue wait\s+ok\s+1\.0\.0/)
    await page.locator('a[href^="#/trace"]').first().click()
    await page.locator('.waterfall-row').first().waitFor()
    expect(page.url()).toMatch(/#\/trace\/[0-9a-f]{32}$/)
  })

  test('an operation whose tail lacks evidence says what to switch on and why; any other says nothing of it', async () => {
    const page = await open('#/operation?service=service-3&operation=GET+%2Fresources%2Fr123')
    await page.locator('.distribution rect').first().waitFor()
    await page.route('**/api/v1/tail?*', async (route) => {
      const response = await route.fetch()
      const advised = [
        { advice: 'enable_busy_ns', title: 'Turn on <b>busy_ns</b>', text: '31 % of it is.', share: 0.31 }
      ]
      const tail = { ...((await response.json()) as object), unattributed_tail_share: 0.4, advice: advised }
      await route.fulfill({ response, json: tail })
    })
    await page.locator('.advice h3', { hasText: 'busy_ns' }).waitFor()
    expect(await page.locator('.advice h3').innerText()).toBe('Turn on <b>busy_ns</b>')
    expect(await page.locator('.advice p').innerText()).toBe('31 % of it is.')
    await page.getByText('Nothing explains 40\u00a0% of the time of its slowest requests lately.').waitFor()
    await page.unroute('**/api/v1/tail?*')
    await page.route('**/api/v1/tail?*', async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...((await response.json()) as object), advice: [] } })
    })
    await page.locator('.advice').waitFor({ state: 'detached' })
  })

  test('budgets: the one spent fastest in the list, every target in the view of the operation, each with its query', async () => {
    const page = await open('#/?filter=service-1')
    const row = rows(page).filter({ has: page.getByText('GET /resources/r1', { exact: true }) })
    // 3 of 212 were slow.
    expect(await row.locator('.budget').innerText()).toMatch(/^over its p99 budget: 1\.4\s%, allowed 1\.0\s%$/)
    expect(await rows(page).locator('.budget button').count()).toBe(1)
    await row.locator('.budget button').click()
    expect(await page.locator('dialog code').innerText()).toContain(
      'tail_budget_requests_total{service_name="service-1",operation="GET /resources/r1",budget="p99",result="over"}'
    )
    await page.locator('dialog button', { hasText: 'Close' }).click()
    await row.locator('a').click()
    const targets = page.locator('.budgets tbody tr')
    await targets.first().waitFor()
    expect(await targets.count()).toBe(2)
    expect(await targets.first().innerText()).toMatch(
      /^p99 within 30\.0\sms\s+1\.0\s%\s+1\.4\s%\s+212\s+1\.4\s%\s+queue wait$/
    )
    expect(await targets.last().innerText()).toMatch(/^p50 within 30\.0\sms\s+50\s%\s+1\.4\s%/)
  })

  test('over the last hours: a day is there after a restart, versions are marked, keys move through time', async () => {
    const page = await open('#/operation?service=gateway&operation=POST+%2Fbuy')
    const chart = page.locator('.over-time')
    await chart.waitFor()
    expect(await chart.getAttribute('aria-label')).toMatch(/requests; at first half within/)
    await page.getByRole('button', { name: '6 hours' }).click()
    await page.waitForFunction(() => document.querySelector('.over-time .version') !== null)
    expect(await chart.locator('text.strong').textContent()).toContain('2.14.0')
    expect(page.url()).toContain('range=6h')
    await page.locator('.chart-hold').focus()
    const readout = page.locator('.readout')
    // The newest point may be too young to have a slow request.
    for (let press = 0; press < 12 && !(await readout.innerText()).includes('queue wait'); press++) {
      await page.keyboard.press('ArrowLeft')
      await page.waitForFunction(() => document.querySelector('.readout')?.textContent.includes('p99'))
    }
    expect(await readout.innerText()).toMatch(/p99.*queue wait/s)
    await page.keyboard.press('Home')
    await page.waitForFunction(() => document.querySelector('.readout')?.textContent.includes('queue wait') === false)
    await readout.getByRole('button').first().click()
    expect(await page.locator('dialog code').innerText()).toMatch(
      /^sum\(increase\(tail_requests_total\{service_name="gateway",operation="POST \/buy"\}\[\d+s\] @ \d+\)\)$/
    )
    await page.keyboard.press('Escape')
    await readout.getByRole('link', { name: 'Compare with now' }).click()
    await page.locator('.compared').waitFor()
    // The browser reports that the operation has no requests since the restart.
    opened?.complaints.splice(0)
  })

  test('a comparison says what changed, in words and by phase, and each has a URL', async () => {
    const page = await open('#/compare?service=gateway&operation=POST+%2Fbuy&minutes=60&before=360')
    await page.locator('.compared').waitFor()
    expect(await page.locator('.verdict').innerText()).toMatch(/p99 went from .* to .*what changed most is queue wait/s)
    const slow = page.locator('.compared .card').first().locator('tbody tr')
    expect(await slow.first().innerText()).toContain('queue wait')
    await page.getByLabel('with the same').selectOption('1440')
    await page.waitForFunction(() => location.hash.includes('before=1440'))
    await page.locator('.compared').waitFor()
    await page.getByLabel('up to').fill('2020-01-01T00:00')
    await page.getByLabel('up to').press('Tab')
    await page.getByText('No requests are known from').waitFor()
    expect(page.url()).toMatch(/end=\d+/)
    await page.goBack()
    await page.locator('.compared').waitFor()
  })

  test('an update changes the number in its place and leaves focus where it is', async () => {
    const page = await open('#/?filter=resources/r7')
    const row = rows(page).filter({ has: page.getByText('GET /resources/r7', { exact: true }) })
    await row.waitFor()
    const element = await row.elementHandle()
    await row.locator('a').focus()
    const before = await row.locator('button').first().innerText()
    await scene.exporter.send(
      {
        service: 'service-7',
        name: 'GET',
        kind: 'server',
        atMs: 0,
        ms: 3,
        attributes: { 'http.request.method': 'GET', 'http.route': '/resources/r7' }
      },
      Date.now() - 500
    )
    await scene.settle()
    await page.waitForFunction(([shown, text]) => shown.querySelector('button')?.textContent !== text, [
      element,
      before
    ] as const)
    expect(await element.evaluate((shown) => shown.isConnected)).toBe(true)
    expect(await focusedText(page)).toBe('GET /resources/r7')
  })

  test('names that are HTML, templates or PromQL are text everywhere', async () => {
    const page = await open('#/?filter=onerror')
    await rows(page).first().waitFor()
    expect(await rows(page).first().locator('a').innerText()).toContain('<script>window.hacked=true</script>{{a*b}}')
    expect(await rows(page).first().locator('.service').first().innerText()).toBe(HOSTILE.service)
    await rows(page).first().locator('.q').first().click()
    const query = await page.locator('dialog code').first().innerText()
    expect(query).toContain('operation="GET \\"><script>window.hacked=true</script>{{a*b}}')
    expect(query).toContain('\\"} or vector(x) #"')
    await page.locator('dialog button', { hasText: 'Close' }).click()
    await rows(page).first().locator('a').click()
    await page.locator('.verdict').waitFor()
    expect(await page.locator('h1').innerText()).toContain('<script>')
    await page.locator('a[href^="#/trace"]').first().click()
    await page.locator('.waterfall-row').first().waitFor()
    await page.locator('.waterfall-row').first().click()
    await page.getByText('Who says so?').click()
    await page.locator('.details table').nth(1).waitFor()
    expect(await page.locator('img:not([src="page/icon.svg"])').count()).toBe(0)
  })

  test('a trace of 20,000 spans: only the rows in sight exist, and keys reach every one', async () => {
    const page = await open(`#/trace/${giant}`)
    const grid = page.locator('.waterfall-scroll')
    await page.locator('.waterfall-row').first().waitFor()
    expect(await grid.getAttribute('aria-rowcount')).toBe(String(GIANT_SPANS))
    await grid.focus()
    await page.keyboard.press('End')
    const last = page.locator(`.waterfall-row[aria-rowindex="${GIANT_SPANS}"][aria-selected="true"]`)
    await last.waitFor()
    expect(await last.innerText()).toContain('step 1')
    expect(await page.locator('.waterfall-row').count()).toBeLessThan(ROWS_IN_SIGHT_MAX)
    console.log(`scrolling 20,000 spans: longest task ${await longestTaskOfScrolling(page)} ms`)
    expect(await page.locator('.waterfall-row').count()).toBeLessThan(ROWS_IN_SIGHT_MAX)
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowLeft')
    await page.waitForFunction(() => document.querySelector('.waterfall-scroll')?.getAttribute('aria-rowcount') === '1')
    await page.keyboard.press('ArrowRight')
    expect(await grid.getAttribute('aria-rowcount')).toBe(String(GIANT_SPANS))
    await page.getByRole('button', { name: 'Critical path only' }).click()
    expect(Number(await grid.getAttribute('aria-rowcount'))).toBeGreaterThan(1)
  })

  test('a trace that is gone, an operation that never was', async () => {
    const page = await open(`#/trace/${'f'.repeat(32)}`)
    await page.getByRole('heading', { name: 'This trace is not kept' }).waitFor()
    await page.goto(scene.url('#/operation?service=a&operation=b'))
    await page.getByText('No such operation is known now').waitFor()
    // The browser itself reports every 404.
    opened?.complaints.splice(0)
  })

  test('a theme that was chosen stays chosen', async () => {
    const page = await open('', { colorScheme: 'light' })
    const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
    const light = await paper()
    await page.getByRole('button', { name: 'Theme: system' }).click()
    await page.getByRole('button', { name: 'Theme: light' }).click()
    const dark = await paper()
    expect(dark).not.toBe(light)
    await page.reload()
    expect(await paper()).toBe(dark)
  })

  test('on a phone no view is wider than the screen', async () => {
    const page = await open('', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true })
    const isNarrow = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)
    await rows(page).first().waitFor()
    expect(await isNarrow()).toBe(true)
    await page.goto(scene.url('#/operation?service=service-3&operation=GET+%2Fresources%2Fr123'))
    await page.locator('.distribution rect').first().waitFor()
    expect(await isNarrow()).toBe(true)
    await page.goto(scene.url('#/compare?service=gateway&operation=POST+%2Fbuy&minutes=60&before=360'))
    await page.locator('.compared').waitFor()
    expect(await isNarrow()).toBe(true)
    await page.goto(scene.url(`#/trace/${giant}`))
    await page.locator('.waterfall-row').first().waitFor()
    expect(await isNarrow()).toBe(true)
  })
}

function hostileSpan() {
  return {
    service: HOSTILE.service,
    name: HOSTILE.operation,
    kind: 'server' as const,
    atMs: 0,
    ms: 5,
    attributes: { 'http.request.method': 'GET', 'http.route': HOSTILE.operation }
  }
}

/** Marks the moment of the first row; runs in the page. */
function noteFirstRow(): void {
  new MutationObserver((_changes, observer) => {
    if (document.querySelector('.operations tbody tr') === null) return
    performance.mark('first-row')
    observer.disconnect()
  }).observe(document, { childList: true, subtree: true })
}

/** Scrolls through everything, a screen a frame, and tells the longest task that it caused. */
async function longestTaskOfScrolling(page: Page): Promise<number> {
  return page.evaluate(async () => {
    let longest = 0
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) longest = Math.max(longest, entry.duration)
    })
    observer.observe({ entryTypes: ['longtask'] })
    const scroll = document.querySelector('.waterfall-scroll') as Element
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve))
    for (let top = 0; top < scroll.scrollHeight; top += 6_000) {
      scroll.scrollTop = top
      await frame()
    }
    await frame()
    observer.disconnect()
    return Math.round(longest)
  })
}
