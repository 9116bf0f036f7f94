/** Builds the shop's binaries where their sources changed; Go and Cargo know best whether they did. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const goFolder = fileURLToPath(new URL('go', import.meta.url))
const rustFolder = fileURLToPath(new URL('pricing', import.meta.url))
const rustOutput = join(rustFolder, 'target', 'release')

/** Paths of what can be run. */
export interface Binaries {
  readonly gateway: string
  readonly inventory: string
  readonly shipping: string
  readonly load: string
  readonly gotruth: string
  /** Absent where the Rust part cannot be built. */
  readonly pricing?: string
}

function run(command: string, args: readonly string[], folder: string): void {
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status ?? 'a signal'}`)
}

const isInstalled = (command: string): boolean =>
  spawnSync(command, ['version'], { stdio: 'ignore' }).error === undefined

/** Go does not look into a library that it links, so a new one must not meet an old binary. */
function forgetOlder(binary: string, library: string): void {
  if (existsSync(binary) && statSync(binary).mtimeMs < statSync(library).mtimeMs) rmSync(binary)
}

/** The Go companion library is built in when the shop's module requires it: see README.md. */
const isCompanionWired = (): boolean => readFileSync(join(goFolder, 'go.mod'), 'utf8').includes('/instrumentation/go ')

/** The Rust one when the feature that it has for it brings something in. */
const rustFeatures = (): string[] =>
  /^companion = \[[^\]]+\]/m.test(readFileSync(join(rustFolder, 'pricing', 'Cargo.toml'), 'utf8'))
    ? ['--features', 'pricing/companion']
    : []

/** Throws one clear line where Go is missing; where Rust is, the shop runs without pricing and tax, and `say` hears so. */
export function buildShop(say: (line: string) => void): Binaries {
  if (!isInstalled('go')) throw new Error('the shop needs Go 1.26 or later on the path')
  const hasRust = existsSync(join(rustFolder, 'Cargo.toml'))
  if (!hasRust) say('no pricing and no tax: examples/shop/pricing is not there, so the gateway leaves those calls out')
  else if (!isInstalled('cargo'))
    say('no pricing and no tax: Cargo is not on the path, so the gateway leaves those calls out')
  const withRust = hasRust && isInstalled('cargo')
  // One job at a time: the machines that run this have two cores, and others use them too.
  if (withRust) run('cargo', ['build', '--release', '--locked', '--quiet', '-j1', ...rustFeatures()], rustFolder)
  const library = join(rustOutput, 'libtax.a')
  const withTax = withRust && existsSync(library)
  const bin = join(goFolder, 'bin')
  const gateway = join(bin, 'gateway')
  if (withTax) forgetOlder(gateway, library)
  const tags = [...(withTax ? ['ffi'] : []), ...(isCompanionWired() ? ['companion'] : [])].join(',')
  run('go', ['build', '-p', '1', '-tags', tags, '-o', `${bin}/`, './cmd/...'], goFolder)
  return {
    gateway,
    inventory: join(bin, 'inventory'),
    shipping: join(bin, 'shipping'),
    load: join(bin, 'load'),
    gotruth: join(bin, 'gotruth'),
    ...(withRust ? { pricing: join(rustOutput, 'pricing') } : {})
  }
}
