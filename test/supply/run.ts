/**
 * What must be known of everything that comes from elsewhere and asks the registry: `npm run check:supply`. What the registry does
 * not answer is said to be unknown, and is neither passed nor failed. What needs no registry is in test/unit/supply-chain.test.ts.
 *
 *   --sbom FILE   also writes the bill of materials there, as CycloneDX
 */
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { projectFolder } from '../builders/live-service.ts'
import { createTally } from '../builders/tally.ts'
import { productionPackages } from './packages.ts'

const NPM_MS_MAX = 120_000
const OUTPUT_BYTES_MAX = 64 * 1024 ** 2
const noDevelopment = ['--omit=dev', '--omit=optional']

interface Answer {
  readonly stdout: string
  readonly stderr: string
}

function npm(...args: readonly string[]): Promise<Answer> {
  const options = { cwd: projectFolder, timeout: NPM_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX }
  return new Promise((resolve) => {
    execFile('npm', args, options, (_error, stdout, stderr) => {
      resolve({ stdout, stderr })
    })
  })
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}

interface Audit {
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> }
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string }>>
  readonly message?: string
}

const tally = createTally()
const { values } = parseArgs({ options: { sbom: { type: 'string' } } })

async function audit(): Promise<void> {
  const name = 'no package that runs in production has a known vulnerability'
  const { stdout, stderr } = await npm('audit', '--json', '--package-lock-only', ...noDevelopment)
  const found = parsed(stdout) as Audit | undefined
  const counts = found?.metadata?.vulnerabilities
  if (counts === undefined) {
    tally.skip(name, `UNKNOWN, the registry does not say: ${found?.message ?? (stderr.split('\n')[0] || 'no answer')}`)
    return
  }
  const named = Object.entries(found?.vulnerabilities ?? {}).map(([one, { severity }]) => `${one} (${severity})`)
  tally.check(name, counts['total'] === 0, named.join(', '))
}

async function signatures(): Promise<void> {
  const name = 'every installed package is signed by the registry'
  const { stdout, stderr } = await npm('audit', 'signatures', '--json', '--include-attestations', ...noDevelopment)
  const found = parsed(stdout) as { invalid?: unknown[]; missing?: { name: string }[] } | undefined
  if (found?.invalid === undefined || found.missing === undefined) {
    tally.skip(name, `UNKNOWN, the registry does not say: ${stderr.split('\n')[0] || 'no answer'}`)
    return
  }
  const unsigned = found.missing.map((one) => one.name)
  tally.check(
    name,
    found.invalid.length === 0 && unsigned.length === 0,
    `${found.invalid.length} invalid, unsigned: ${unsigned.join(', ')}`
  )
}

interface Bom {
  readonly bomFormat?: string
  readonly components?: readonly { readonly 'bom-ref': string }[]
}

function billOfMaterials(): void {
  const text = execFileSync(process.execPath, ['deploy/bill-of-materials.ts'], { cwd: projectFolder }).toString()
  const bom = parsed(text) as Bom | undefined
  const named = new Set(bom?.components?.map((component) => component['bom-ref']))
  const wanted = new Set(
    productionPackages().map(({ name, path, version }) => `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`)
  )
  tally.check('the bill of materials is CycloneDX', bom?.bomFormat === 'CycloneDX', text.slice(0, 200))
  const differing = [...wanted.symmetricDifference(named)]
  tally.check(
    'it names every package that runs in production, and no other',
    differing.length === 0,
    differing.join(', ')
  )
  if (values.sbom !== undefined) writeFileSync(values.sbom, text)
}

billOfMaterials()
await audit()
await signatures()
tally.close()
