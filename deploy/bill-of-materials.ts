/**
 * Prints the bill of materials of what the image installs, as CycloneDX: `node deploy/bill-of-materials.ts`. From the lockfile
 * alone. `npm sbom --omit=dev` leaves out what development uses as well (ajv, ms and 50 others), so all is asked for, and what
 * only development or another platform needs is taken out here.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

interface Locked {
  /** Where the folder is called otherwise. */
  readonly name?: string
  readonly version: string
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly optional?: boolean
}
interface Component {
  /** Its name and version. */
  readonly 'bom-ref': string
}
interface Bom {
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}

const OUTPUT_BYTES_MAX = 64 * 1024 ** 2

const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> }
const whole = JSON.parse(
  execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], {
    maxBuffer: OUTPUT_BYTES_MAX
  }).toString()
) as Bom

/** Of the same version of a package one copy may be for development and another not. */
const installed = new Set(
  Object.entries(packages).flatMap(([path, { name, version, dev, devOptional, optional }]) =>
    path === '' || dev === true || devOptional === true || optional === true
      ? []
      : [`${name ?? path.replace(/^.*node_modules\//, '')}@${version}`]
  )
)

const components = whole.components.filter((component) => installed.has(component['bom-ref']))
const kept = new Set(components.map((component) => component['bom-ref']))
const gone = new Set(whole.components.map((component) => component['bom-ref']).filter((ref) => !kept.has(ref)))
const dependencies = whole.dependencies
  .filter(({ ref }) => !gone.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => !gone.has(other)) }))
process.stdout.write(`${JSON.stringify({ ...whole, components, dependencies }, null, 2)}\n`)
