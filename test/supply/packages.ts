import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectFolder } from '../builders/live-service.ts'

interface LockedPackage {
  /** Where the folder is called otherwise. */
  readonly name?: string
  readonly version: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  readonly devOptional?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
  readonly inBundle?: boolean
}

export interface Package extends LockedPackage {
  /** Where npm puts it: `node_modules/a/node_modules/b`. */
  readonly path: string
}

interface Lockfile {
  readonly lockfileVersion: number
  readonly packages: Readonly<Record<string, LockedPackage>>
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(join(projectFolder, file), 'utf8'))

export const lockfile = (): Lockfile => readJson('package-lock.json') as Lockfile
export const packageJson = (): Readonly<Record<string, Readonly<Record<string, string>> | undefined>> =>
  readJson('package.json') as Readonly<Record<string, Readonly<Record<string, string>>>>

/** Every package that the lockfile names, but ours. */
export function allPackages(): Package[] {
  return Object.entries(lockfile().packages).flatMap(([path, locked]) => (path === '' ? [] : [{ path, ...locked }]))
}

/** What the image installs: `npm ci --omit=dev --omit=optional`. */
export function productionPackages(): Package[] {
  return allPackages().filter(
    ({ dev, devOptional, optional }) => dev !== true && devOptional !== true && optional !== true
  )
}

/** As the lockfile has it, else as the installed package says; undefined for one that is not installed here (another platform's). */
export function licenceOf({ path, license }: Package): string | undefined {
  if (license !== undefined) return license
  try {
    const { license: own } = readJson(join(path, 'package.json')) as { license?: string }
    return own
  } catch {
    return undefined
  }
}

/** Licences under which the whole may be used, changed and passed on, Tailspan's own being Apache-2.0. */
export const allowedLicences = new Set([
  ...[
    'MIT',
    'ISC',
    'Apache-2.0',
    'BSD-2-Clause',
    'BSD-3-Clause',
    '0BSD',
    'BlueOak-1.0.0',
    'CC0-1.0',
    'CC-BY-4.0',
    'Python-2.0'
  ]
])

/** SPDX, as far as packages use it: of a choice one is enough, of several all must be allowed. */
export function isAllowed(licence: string): boolean {
  return licence
    .replace(/[()]/g, '')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((one) => allowedLicences.has(one)))
}

/** Packages whose install script must not run, and why they do without it. */
export const unscripted: Readonly<Record<string, string>> = {
  'node_modules/@grpc/proto-loader/node_modules/protobufjs':
    'its script only warns of a version written loosely in package.json'
}
