import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'

const project = fileURLToPath(new URL('../..', import.meta.url))
const config = join(project, 'test/architecture/imports.config.cjs')
const { forbidden } = createRequire(import.meta.url)(config) as { forbidden: { name: string; comment: string }[] }

/** For each rule, a tree that breaks it and nothing else. */
const breaches: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'stages-do-not-know-each-other': {
    'src/accept/a.ts': "import '../assemble/b.ts'",
    'src/assemble/b.ts': ''
  },
  'pure-stages-touch-no-io': { 'src/explain/a.ts': "import 'node:fs'" },
  'model-is-the-floor': { 'src/model/a.ts': "import '../runtime/b.ts'", 'src/runtime/b.ts': '' },
  'runtime-knows-no-domain': { 'src/runtime/a.ts': "import '../model/b.ts'", 'src/model/b.ts': '' },
  'access-knows-no-stage': { 'src/access/a.ts': "import '../model/b.ts'", 'src/model/b.ts': '' },
  'roots-enter-by-the-front-door': { 'src/pipeline.ts': "import './accept/b.ts'", 'src/accept/b.ts': '' },
  'settings-reads-only-settings': { 'src/settings/a.ts': "import '../accept/b.ts'", 'src/accept/b.ts': '' },
  'nothing-imports-a-root': { 'src/expose/a.ts': "import '../pipeline.ts'", 'src/pipeline.ts': '' },
  'no-cycles': { 'src/accept/a.ts': "import './b.ts'", 'src/accept/b.ts': "import './a.ts'" },
  'src-never-imports-test': { 'src/accept/a.ts': "import '../../test/b.ts'", 'test/b.ts': '' }
}

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'imports-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Names of the rules that a tree breaks. */
function broken(name: string, files: Readonly<Record<string, string>>): string[] {
  const root = join(folder, name)
  mkdirSync(root)
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(root, 'tsconfig.json'),
    '{ "compilerOptions": { "allowImportingTsExtensions": true, "noEmit": true } }'
  )
  symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), `${text}\n`)
  }
  const bin = join(project, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
  const json = execFileSync(process.execPath, [bin, '--config', config, '--output-type', 'json', 'src'], { cwd: root })
  const { summary } = JSON.parse(json.toString()) as { summary: { violations: { rule: { name: string } }[] } }
  return [...new Set(summary.violations.map(({ rule }) => rule.name))]
}

test('every rule has a reason and a breach', () => {
  expect(forbidden.map(({ name }) => name).toSorted()).toEqual(Object.keys(breaches).toSorted())
  expect(forbidden.every(({ comment }) => comment.length > 20)).toBe(true)
})

test.each(Object.keys(breaches))('%s fires', (name) => {
  expect(broken(name, breaches[name] ?? {})).toEqual([name])
})
