import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Browser } from 'playwright-core'
import { secretFolder, type SecretFolder } from '../builders/access-under-test.ts'
import { type LiveService, startService } from '../builders/live-service.ts'
import { findChromium, NO_CHROMIUM, startChromium } from './chromium.ts'

const TOKEN = 'token-of-the-web-page'

const chromium = findChromium()
if (chromium === undefined) test.skip(`skipped, for there is ${NO_CHROMIUM}`, () => undefined)
else
  describe('exporting from a page in Chromium', () => {
    corsTests(chromium)
  })

/** An empty page of another origin than the service's. */
async function startPage(): Promise<{ readonly server: Server; readonly origin: string }> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>shop</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

function corsTests(executablePath: string): void {
  let browser: Browser
  let folder: SecretFolder
  let service: LiveService
  let allowed: Awaited<ReturnType<typeof startPage>>
  let stranger: Awaited<ReturnType<typeof startPage>>

  beforeAll(async () => {
    browser = await startChromium(executablePath)
    folder = secretFolder()
    allowed = await startPage()
    stranger = await startPage()
    service = await startService({
      accept: { cors: { allowed_origins: [allowed.origin] } },
      access: { credentials: [{ file: folder.write('web', TOKEN), may: ['send'] }] },
      shutdown: { last_scrape_wait: '0s' }
    })
  })
  afterAll(async () => {
    await service.stop()
    await browser.close()
    allowed.server.close()
    stranger.server.close()
    folder.remove()
  })

  /** What a page of this origin learns of its export: the status, or that the browser kept the answer from it. */
  async function exportFrom(origin: string, token: string): Promise<number | string> {
    const page = await browser.newPage()
    await page.goto(origin)
    const learned = await page.evaluate(
      async ({ url, authorization }) => {
        const headers = { 'content-type': 'application/json', authorization }
        try {
          return (await fetch(url, { method: 'POST', headers, body: '{"resourceSpans":[]}' })).status
        } catch {
          return 'kept from it'
        }
      },
      { url: `http://${service.http}/v1/traces`, authorization: `Bearer ${token}` }
    )
    await page.close()
    return learned
  }

  test('a page of an allowed origin sends, after the preflight that its token needs', async () => {
    expect(await exportFrom(allowed.origin, TOKEN)).toBe(200)
  })

  test('it can read why it was refused', async () => {
    expect(await exportFrom(allowed.origin, 'a-token-that-is-wrong')).toBe(401)
  })

  test('a page of another origin does not get as far', async () => {
    expect(await exportFrom(stranger.origin, TOKEN)).toBe('kept from it')
  })
}
