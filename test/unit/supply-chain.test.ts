import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { projectFolder } from '../builders/live-service.ts'
import {
  allPackages,
  isAllowed,
  licenceOf,
  lockfile,
  packageJson,
  productionPackages,
  unscripted
} from '../supply/packages.ts'

test('versions in package.json are exact, and the lockfile has the same', () => {
  const locked = lockfile().packages[''] as unknown as ReturnType<typeof packageJson>
  for (const section of ['dependencies', 'devDependencies', 'optionalDependencies']) {
    const wanted = packageJson()[section] ?? {}
    expect(locked[section]).toEqual(wanted)
    for (const version of Object.values(wanted)) expect(version).toMatch(/^(npm:@?[\w./-]+@)?\d+\.\d+\.\d+$/)
  }
  expect(lockfile().lockfileVersion).toBe(3)
})

test('every package that runs in production is pinned by its checksum', () => {
  const loose = productionPackages().filter(
    ({ integrity, inBundle }) => inBundle !== true && !/^sha512-/.test(integrity ?? '')
  )
  expect(loose.map(({ path }) => path)).toEqual([])
})

test('no package that runs in production has an install script, but one that does nothing, and none is ever run', () => {
  const scripted = productionPackages().filter(({ hasInstallScript }) => hasInstallScript === true)
  expect(scripted.map(({ path }) => path)).toEqual(Object.keys(unscripted))
  expect(readFileSync(join(projectFolder, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m)
  const installs = readFileSync(join(projectFolder, 'Dockerfile'), 'utf8').match(/npm (ci|install)[^\n&]*/g) ?? []
  expect(installs).not.toEqual([])
  for (const install of installs) expect(install).toContain('--ignore-scripts')
})

test('every package may be passed on with Tailspan under the Apache licence', () => {
  const unknown = productionPackages().filter((one) => licenceOf(one) === undefined)
  expect(unknown.map(({ path }) => path)).toEqual([])
  const refused = allPackages().filter(
    (one) => existsSync(join(projectFolder, one.path)) && !isAllowed(licenceOf(one) ?? 'none')
  )
  expect(refused.map((one) => `${one.path}: ${licenceOf(one) ?? 'none'}`)).toEqual([])
})

test.each([
  ['MIT', true],
  ['(MIT OR GPL-3.0)', true],
  ['Apache-2.0 AND MIT', true],
  ['MIT AND GPL-3.0', false],
  ['UNLICENSED', false],
  ['none', false]
])('a licence of %s is allowed: %s', (licence, allowed) => {
  expect(isAllowed(licence)).toBe(allowed)
})

test('base images are named by exact tag or digest, and none by `latest`', () => {
  const images = [...readFileSync(join(projectFolder, 'Dockerfile'), 'utf8').matchAll(/^FROM (\S+)/gm)].map(
    ([, image]) => image ?? ''
  )
  expect(images).toHaveLength(2)
  for (const image of images) expect(image).toMatch(/@sha256:[0-9a-f]{64}$|:(\d+\.\d+\.\d+-[\w-]+|nonroot)$/)
})
