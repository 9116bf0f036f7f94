import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { tailspan } from '../builders/command.ts'
import { projectFolder } from '../builders/live-service.ts'
import { requestJson, shopRequests } from '../builders/shop-requests.ts'

// Each test starts processes, on machines that may be busy.
jest.setTimeout(60_000)

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tailspan-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

test('bad settings end serve with 2 before anything listens, every mistake on a line', async () => {
  const path = file('bad.yaml', 'assemble:\n  quiet_tme: 8s\naccept:\n  host: 0.0.0.0\n')
  expect(await tailspan(['serve', '--config', path])).toEqual({
    code: 2,
    stdout: '',
    stderr:
      `${path}:2: assemble.quiet_tme: unknown key; did you mean quiet_time?\n` +
      `${path}:4: accept.host: other machines reach 0.0.0.0 and nobody asks who they are; use 127.0.0.1, or set access.credentials or insecure: true\n`
  })
})

test('the settings file may be named by TAILSPAN_CONFIG, and one that is not there ends with 2', async () => {
  const { code, stderr } = await tailspan(['serve'], { TAILSPAN_CONFIG: join(folder, 'missing.yaml') })
  expect(code).toBe(2)
  expect(stderr).toMatch(/missing\.yaml: ENOENT[^\n]*\n$/)
})

test.each(['accept', 'expose'])('a taken port of %s ends serve with 1 and one line', async (stage) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  const { port } = taken.address() as AddressInfo
  const ports = { accept: [0, 0], expose: [0], [stage]: stage === 'accept' ? [port, 0] : [port] }
  const path = file(
    'taken.yaml',
    `accept: { grpc_port: ${ports.accept[0]}, http_port: ${ports.accept[1]} }\nexpose: { port: ${ports.expose[0]} }\n`
  )
  const { code, stdout, stderr } = await tailspan(['serve', '--config', path])
  taken.close()
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(
    new RegExp(`^tailspan: cannot listen on 127\\.0\\.0\\.1:${port}: [^\\n]*EADDRINUSE[^\\n]*\\n$`)
  )
})

test('check-config says whether a file is right', async () => {
  const good = file('good.yaml', 'log:\n  level: debug\n')
  expect(await tailspan(['check-config', good])).toEqual({ code: 0, stdout: `${good}: no mistakes\n`, stderr: '' })
  const bad = file('bad2.yaml', 'log:\n  level: loud\n')
  expect(await tailspan(['check-config', bad])).toMatchObject({ code: 2, stdout: '' })
})

test.each([
  [['nonsense']],
  [['budgets', 'suggest']],
  [['budgets', 'suggest', '--from', 'http://127.0.0.1:1', 'file']],
  [['budgets', 'suggest', '--targets', 'p98', 'file']],
  [['serve', '--bogus']],
  [['analyze']],
  [['check-config']],
  [[]]
])('bad usage %j ends with 2', async (args) => {
  const { code, stdout } = await tailspan(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})

test('budgets suggest says in one line that nobody answers', async () => {
  const { code, stdout, stderr } = await tailspan(['budgets', 'suggest', '--from', 'http://127.0.0.1:1'])
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  expect(stderr).toMatch(/^tailspan: http:\/\/127\.0\.0\.1:1\/api\/v1\/operations\?offset=0: [^\n]*\n$/)
})

test('--version and --help end with 0', async () => {
  expect(await tailspan(['--version'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  expect(await tailspan(['--help'])).toMatchObject({ code: 0, stderr: '' })
})

test('a reader that stops early is no mistake', async () => {
  const lines = shopRequests({ traces: 500 }).map((request) => JSON.stringify(requestJson(request)))
  const path = file('shop.jsonl', lines.join('\n'))
  const pipe = '"$0" src/main.ts analyze --json "$1" | head -c 100 >/dev/null; echo done'
  const child = spawn('sh', ['-c', pipe, process.execPath, path], { cwd: projectFolder })
  let text = ''
  child.stdout.on('data', (part: Buffer) => (text += part.toString()))
  child.stderr.on('data', (part: Buffer) => (text += part.toString()))
  await new Promise((resolve) => child.once('close', resolve))
  expect(text).toBe('done\n')
})

test('rules prints what Prometheus loads, writes it where it is told to, and takes no scale that is none', async () => {
  const path = file('alerting.yaml', 'alerting: { job: tail }\n')
  const printed = await tailspan(['rules', '--config', path])
  expect(printed).toMatchObject({ code: 0, stderr: '' })
  expect(printed.stdout).toContain('absent(up{job="tail"})')
  const out = join(folder, 'rules', 'deeper')
  const written = await tailspan(['rules', '--config', path, '--out', out])
  expect(written).toEqual({ code: 0, stdout: `${join(out, 'tailspan.rules.yaml')}\n`, stderr: '' })
  expect(readFileSync(join(out, 'tailspan.rules.yaml'), 'utf8')).toBe(printed.stdout)
  const bad = await tailspan(['rules', '--window-scale', '60'])
  expect(bad.code).toBe(2)
  expect(bad.stderr).toContain('expected a number above 0, at most 1')
})
