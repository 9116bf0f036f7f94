import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The Chromium that CHROMIUM names, or one on the path; undefined where there is none. */
export function findChromium(env = process.env): string | undefined {
  const named = env['CHROMIUM']
  if (named !== undefined && named !== '') return named
  const folders = (env['PATH'] ?? '').split(delimiter)
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((file) => existsSync(file))
}

export const NO_CHROMIUM =
  'no Chromium on the path and none named by CHROMIUM (bash test/browser/install.sh brings one)'

export async function startChromium(executablePath: string): Promise<Browser> {
  // Without a sandbox, because CI runs as root; it opens nothing but pages of our own on loopback.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}
