/** `npm run screenshots`: pictures of every view, of the simulated shop, into docs/screenshots. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Page } from 'playwright-core'
import { findChromium, NO_CHROMIUM, startChromium } from './chromium.ts'
import { openPage, sendShop, startScene, type Scene } from './scene.ts'

const FOLDER = fileURLToPath(new URL('../../docs/screenshots/', import.meta.url))
const SEED = 11
const BYTES_MAX = 150 * 1024
const desktop = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1.5 }
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }

/** Takes the reader to a view, as a reader would go. */
const views: Readonly<Record<string, (page: Page, scene: Scene) => Promise<void>>> = {
  async operations(page, scene) {
    await page.goto(scene.url())
    await page.locator('.operations tbody tr').first().waitFor()
  },
  async operation(page, scene) {
    await page.goto(scene.url('#/operation?service=gateway&operation=POST+%2Fbuy'))
    await page.locator('.tree li').first().waitFor()
  },
  async history(page, scene) {
    await page.goto(scene.url('#/operation?service=gateway&operation=POST+%2Fbuy&range=6h'))
    await page.locator('.over-time .version').first().waitFor({ state: 'attached' })
    await page.locator('.chart-hold').focus()
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowLeft')
    await page.locator('[data-island] .card').evaluate((card) => {
      card.scrollIntoView({ block: 'center' })
    })
  },
  async compare(page, scene) {
    await page.goto(scene.url('#/compare?service=gateway&operation=POST+%2Fbuy&minutes=60&before=360'))
    await page.locator('.compared').waitFor()
  },
  async trace(page, scene) {
    await page.goto(scene.url('#/operation?service=gateway&operation=POST+%2Fbuy'))
    await page.locator('a[href^="#/trace"]').first().click()
    await page.locator('.waterfall-row').first().waitFor()
    if ((page.viewportSize()?.width ?? 0) < 600) return
    await page.locator('.waterfall-row', { hasText: '/charge' }).last().click()
    await page.getByText('Who says so?').click()
    await page.locator('.details table').nth(1).waitFor()
  }
}

async function main(): Promise<void> {
  const chromium = findChromium()
  if (chromium === undefined) throw new Error(NO_CHROMIUM)
  mkdirSync(FOLDER, { recursive: true })
  const browser = await startChromium(chromium)
  const scene = await startScene()
  const shoot = async (page: Page, name: string): Promise<void> => {
    // Waits for fonts and the last frame of transitions.
    await page.waitForTimeout(600)
    const picture = withFewColours(await page.screenshot({ animations: 'disabled' }))
    writeFileSync(`${FOLDER}${name}.png`, picture)
    const size = picture.length
    console.log(`${name}.png ${Math.round(size / 1024)} KiB`)
    if (size > BYTES_MAX) throw new Error(`${name}.png is larger than ${BYTES_MAX / 1024} KiB`)
  }
  try {
    for (const colorScheme of ['light', 'dark'] as const) {
      if (colorScheme === 'light') {
        const { page } = await openPage(browser, { ...desktop, colorScheme })
        await page.goto(scene.url())
        await page.locator('.empty').waitFor()
        await shoot(page, 'empty-light')
        await page.context().close()
        await sendShop(scene, SEED)
      }
      for (const [device, options] of Object.entries({ desktop, phone })) {
        for (const [name, visit] of Object.entries(views)) {
          const { page } = await openPage(browser, { ...options, colorScheme })
          await visit(page, scene)
          await shoot(page, `${name}-${colorScheme}${device === 'phone' ? '-phone' : ''}`)
          await page.context().close()
        }
      }
    }
  } finally {
    await browser.close()
    await scene.stop()
  }
}

/** A third of the size, for differences that nobody sees: pages have few colours. */
function withFewColours(png: Buffer): Buffer {
  return execFileSync('pngquant', ['--speed', '1', '--strip', '-'], { input: png, maxBuffer: 16 * 1024 ** 2 })
}

await main()
