import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { type Fault } from '../../../src/runtime/fault.ts'
import { loadSettings } from '../../../src/settings/settings.ts'

function mistakes(text: string, env: Record<string, string> = {}): string[] {
  try {
    loadSettings(text, 'config.yaml', env)
    return []
  } catch (reason) {
    expect((reason as Fault).code).toBe('BAD_SETTINGS')
    return (reason as Fault).message.split('\n')
  }
}

test('an empty file, and one whose sections are empty, gives the defaults', () => {
  const defaults = loadSettings('', 'config.yaml', {})
  expect(defaults).toMatchObject({
    insecure: false,
    log: { level: 'info' },
    accept: {
      host: '127.0.0.1',
      grpcPort: 4317,
      httpPort: 4318,
      requestBytesMax: 64 * 1024 ** 2,
      spanAgeMaxMs: Infinity
    },
    assemble: { quietTimeMs: 8000, holdUntilMemory: false },
    expose: { port: 9464 }
  })
  expect(loadSettings('# nothing\naccept:\n  # host: x\nlog:\n  level:\n', 'config.yaml', {})).toEqual(defaults)
})

const table: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'an unknown key',
    'assemble:\n\n  quiet_tme: 8s',
    ['config.yaml:3: assemble.quiet_tme: unknown key; did you mean quiet_time?']
  ],
  [
    'an unknown key without a value',
    'assemble:\n  quite_time:',
    ['config.yaml:2: assemble.quite_time: unknown key; did you mean quiet_time?']
  ],
  ['an unknown section', 'assembel: {}', ['config.yaml:1: assembel: unknown key; did you mean assemble?']],
  ['a key like no other', 'log:\n  colour: red', ['config.yaml:2: log.colour: unknown key; expected level']],
  ['an upper-case key', 'log:\n  LEVEL: info', ['config.yaml:2: log.LEVEL: unknown key; did you mean level?']],
  [
    'a bad duration',
    'assemble:\n  quiet_time: 8 seconds',
    ['config.yaml:2: assemble.quiet_time: expected a duration like 250ms, 8s, 15m or 1h, got "8 seconds"']
  ],
  [
    'a duration without a unit',
    'assemble:\n  quiet_time: 8',
    ['config.yaml:2: assemble.quiet_time: expected a duration like 250ms, 8s, 15m or 1h, got 8']
  ],
  [
    'a bad size',
    'accept:\n  request_bytes_max: 64MB!',
    ['config.yaml:2: accept.request_bytes_max: expected a size like 512KiB, 64MiB or 1GB, got "64MB!"']
  ],
  [
    'a word for a number',
    'accept:\n  grpc_port: http',
    ['config.yaml:2: accept.grpc_port: expected a whole number, got "http"']
  ],
  [
    'half a number',
    'accept:\n  grpc_port: 4317.5',
    ['config.yaml:2: accept.grpc_port: expected a whole number, got 4317.5']
  ],
  [
    'a number too large',
    'accept:\n  grpc_port: 65536',
    ['config.yaml:2: accept.grpc_port: expected at most 65535, got 65536']
  ],
  [
    'a number too small',
    'accept:\n  connections_max: 0',
    ['config.yaml:2: accept.connections_max: expected at least 1, got 0']
  ],
  [
    'a word that is none of the choices',
    'log:\n  level: verbose',
    ['config.yaml:2: log.level: expected one of trace, debug, info, warn, error, silent, got "verbose"']
  ],
  [
    'none of two kinds',
    'accept:\n  span_age_max: never',
    ['config.yaml:2: accept.span_age_max: expected off or a duration like 250ms, 8s, 15m or 1h, got "never"']
  ],
  ['a word for yes or no', 'insecure: perhaps', ['config.yaml:1: insecure: expected true or false, got "perhaps"']],
  ['a list for a section', 'log: [info]', ['config.yaml:1: log: expected a mapping of keys to values, got a list']],
  ['a list for the file', '- log', ['config.yaml:1: expected a mapping of keys to values, got a list']],
  [
    'a missing key in a list',
    'explain:\n  classes:\n    - match: a/b',
    ['config.yaml:3: explain.classes[0].class: missing; expected one of request, message, stream, background']
  ],
  ['an empty text', 'accept:\n  host: ""', ['config.yaml:2: accept.host: expected a text that is not empty']],
  ['the same key twice', 'log:\n  level: info\n  level: info', ['config.yaml:3: this key is already there above']],
  [
    'broken YAML',
    'log:\n  level: [info\n',
    ['config.yaml:3: Flow sequence in block collection must be sufficiently indented and end with a ]']
  ],
  ['an alias of nothing', 'log: *here', ['config.yaml:1: *here: nothing above is marked &here']],
  ['an unknown tag', 'log: !!secret x', ['config.yaml:1: Unresolved tag: tag:yaml.org,2002:secret']],
  [
    'an open address',
    'accept:\n  host: 0.0.0.0\nexpose:\n  host: "::"',
    [
      'config.yaml:2: accept.host: other machines reach 0.0.0.0 and nobody asks who they are; use 127.0.0.1, or set access.credentials or insecure: true',
      'config.yaml:4: expose.host: other machines reach :: and nobody asks who they are; use 127.0.0.1, or set access.credentials or insecure: true'
    ]
  ]
]

test.each(table)('%s is refused with its line', (_, text, expected) => {
  expect(mistakes(text)).toEqual(expected)
})

test('all mistakes are told at once, in the order of their lines', () => {
  const text =
    'log:\n  level: loud\n  level: info\naccept:\n  host: 0.0.0.0\n  prot: 1\n  http_port: ${env:PORT}\nfoo: 1\n'
  expect(mistakes(text).map((line) => line.slice(0, 26))).toEqual([
    'config.yaml:3: this key is',
    'config.yaml:5: accept.host',
    'config.yaml:6: accept.prot',
    'config.yaml:7: the environ',
    'config.yaml:8: foo: unknow'
  ])
})

test('an address of this machine, or leave to be open, is accepted', () => {
  for (const host of ['localhost', '127.0.0.2', '::1']) expect(mistakes(`accept:\n  host: "${host}"`)).toEqual([])
  expect(mistakes('insecure: true\naccept:\n  host: 0.0.0.0')).toEqual([])
  expect(mistakes('insecure: false\naccept:\n  host: 127.0.0.1.evil.example')).toHaveLength(1)
})

const open = 'accept:\n  host: 0.0.0.0\n'
const credentials = 'access:\n  credentials: [{ file: tokens, may: [send, read_metrics, read_traces] }]\n'

test('an open address is accepted where everybody is asked who he is', () => {
  expect(mistakes(credentials + open)).toEqual([])
  expect(mistakes(`${open}  tls: { cert_file: a, key_file: b, client_ca_file: c }`)).toEqual([])
  expect(mistakes(`${open}  tls: { cert_file: a, key_file: b }`)).toHaveLength(1)
  expect(
    mistakes(`${open}  tls: { cert_file: a, key_file: b, client_ca_file: c, client_certificate: optional }`)
  ).toHaveLength(1)
  expect(mistakes(`access: { credentials: [] }\n${open}`)).toHaveLength(1)
})

test('who may come without a credential is as open as without any', () => {
  const anonymous = (right: string): string[] => mistakes(`${credentials}  anonymous: [${right}]\n${open}`)
  expect(anonymous('send')).toEqual([
    'config.yaml:5: accept.host: other machines reach 0.0.0.0 and access.anonymous lets them in; use 127.0.0.1, or set insecure: true'
  ])
  expect(anonymous('read_metrics')).toEqual([])
})

test.each([
  [
    'a certificate without its key',
    'accept:\n  tls: { cert_file: a }',
    'accept.tls.key_file: missing; cert_file needs it'
  ],
  [
    'a key without its certificate',
    'expose:\n  tls: { key_file: a }',
    'expose.tls.cert_file: missing; key_file needs it'
  ],
  [
    'client certificates without TLS',
    'accept:\n  tls: { client_ca_file: a }',
    'accept.tls.cert_file: missing; client_ca_file needs it'
  ],
  [
    'a credential that is two things',
    'access:\n  credentials: [{ file: a, certificates: [b], may: [send] }]',
    'access.credentials[0]: expected one of file, certificates'
  ],
  [
    'certificates that nobody shows',
    'access:\n  credentials: [{ certificates: [b], may: [send] }]',
    'access.credentials[0].certificates: nobody shows one: neither accept.tls nor expose.tls has a client_ca_file'
  ],
  [
    'a right that is none',
    'access:\n  credentials: [{ file: a, may: [write] }]',
    'access.credentials[0].may[0]: expected one of send, read_metrics, read_traces, got "write"'
  ]
])('%s is refused', (_, text, problem) => {
  expect(mistakes(text).map((line) => line.replace(/^config[.]yaml:[0-9]+: /, ''))).toContain(problem)
})

test('anchors and aliases work', () => {
  expect(loadSettings('accept:\n  host: &h 127.0.0.3\nexpose:\n  host: *h', 'c', {}).expose.host).toBe('127.0.0.3')
})

test('keys that every object has are unknown keys, not settings', () => {
  expect(mistakes('__proto__: 1\nconstructor: {}\n')).toEqual([
    expect.stringContaining('config.yaml:1: __proto__: unknown key'),
    expect.stringContaining('config.yaml:2: constructor: unknown key')
  ])
})

test('values from the environment are typed after they are put in', () => {
  const env = { PORT: '5317', HOST: '127.0.0.9', LEVEL: '', QUIET: '3', UNIT: 's' }
  const settings = loadSettings(
    'accept:\n  grpc_port: ${env:PORT}\n  http_port: "${HTTP:-5318}"\n  host: ${env:HOST}\n' +
      'assemble:\n  quiet_time: ${env:QUIET}${env:UNIT}\nlog:\n  level: ${env:LEVEL}\n',
    'config.yaml',
    env
  )
  expect(settings.accept).toMatchObject({ grpcPort: 5317, httpPort: 5318, host: '127.0.0.9' })
  expect(settings.assemble.quietTimeMs).toBe(3000)
  expect(settings.log.level).toBe('info')
})

test('a text that looks like a number stays a text where a text is wanted', () => {
  const rule = (match: string): string => `explain:\n  classes:\n    - { match: ${match}, class: stream }\n`
  for (const [value, expected] of [
    ['007', '007'],
    ['1e3', '1e3'],
    ['true', 'true'],
    ['a #b', 'a #b'],
    ['null', 'null']
  ] as const) {
    const settings = loadSettings(rule('"${env:M}"'), 'config.yaml', { M: value })
    expect(settings.explain.classes[0]?.match).toBe(expected)
  }
})

test.each(['tailspan.yaml', 'image.yaml'])('config/%s is accepted', (name) => {
  const text = readFileSync(new URL(`../../../config/${name}`, import.meta.url), 'utf8')
  const settings = loadSettings(text, name, {})
  if (name === 'tailspan.yaml') expect(settings).toEqual(loadSettings('', '', {}))
  else expect(settings).toMatchObject({ insecure: true, accept: { host: '0.0.0.0' }, expose: { host: '0.0.0.0' } })
})
