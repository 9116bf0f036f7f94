import { createHash } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { findByToken, readCredentials } from '../../../src/access/credentials.ts'
import { hashPassword } from '../../../src/access/secrets.ts'

const TOKEN = 'Vn3k-9sLq_0Zr7.tw'
const OTHER = 'another-token-of-20c'
const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
const read = (text: string) => readCredentials(text, '/run/secrets/senders', ['send'])

function problemsOf(text: string): string[] {
  try {
    read(text)
    return []
  } catch (reason) {
    return (reason as Error).message.split('\n')
  }
}

test.each([
  ['a name and a secret', `shop: ${TOKEN}`, 'shop'],
  ['no blank after the name', `shop:${TOKEN}`, 'shop'],
  ['a secret alone is called as its file', TOKEN, 'senders'],
  ['a hash with a name', `shop: ${sha256(TOKEN)}`, 'shop'],
  ['a hash alone', sha256(TOKEN), 'senders'],
  ['an editor of Windows', `\uFEFFshop: ${TOKEN}\r\n`, 'shop'],
  ['comments and blank lines', `# rotate in May\n\n  shop: ${TOKEN}  \n`, 'shop']
])('%s', (_, text, name) => {
  const credentials = read(text)
  expect(credentials).toHaveLength(1)
  expect(findByToken(credentials, TOKEN)?.name).toBe(name)
  expect(findByToken(credentials, OTHER)).toBeUndefined()
  // What is kept is not what was written.
  expect(JSON.stringify(credentials)).not.toContain(TOKEN)
})

test('the old and the new secret of one name hold side by side', () => {
  const credentials = read(`shop: ${TOKEN}\nshop: ${OTHER}`)
  expect(findByToken(credentials, TOKEN)?.name).toBe('shop')
  expect(findByToken(credentials, OTHER)?.name).toBe('shop')
})

test('a hash is not a token', () => {
  const hash = sha256(TOKEN)
  for (const line of [hash, `shop: ${hash}`]) {
    expect(findByToken(read(line), hash)).toBeUndefined()
    expect(findByToken(read(line), hash.slice('sha256:'.length))).toBeUndefined()
  }
})

test('a name is asked for where one is given', () => {
  const credentials = read(`shop: ${TOKEN}\ncart: ${OTHER}`)
  expect(findByToken(credentials, TOKEN, 'shop')?.name).toBe('shop')
  expect(findByToken(credentials, TOKEN, 'cart')).toBeUndefined()
})

test('one secret in two files grants what either grants', () => {
  const credentials = [...read(`shop: ${TOKEN}`), ...readCredentials(`shop: ${TOKEN}`, 'readers', ['read_metrics'])]
  expect(findByToken(credentials, TOKEN)?.may).toEqual(['send', 'read_metrics'])
})

test('every bad line is told, and no secret with it', () => {
  const problems = problemsOf(
    `shop: tooshort\nshop: with a blank in it\nshop: sha256:12ab\nshop: $scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$${'A'.repeat(43)}\n${'n'.repeat(129)}: ${TOKEN}`
  )
  expect(problems).toEqual([
    '/run/secrets/senders:1: a secret needs at least 16 characters; for a password of people write its hash',
    '/run/secrets/senders:2: a secret has no blanks',
    '/run/secrets/senders:3: sha256: needs 64 hex digits',
    '/run/secrets/senders:4: this is no scrypt hash that `tailspan hash-secret` could have written',
    '/run/secrets/senders:5: a name has at most 128 characters'
  ])
})

test('a file without a secret would let nobody in by mistake', () => {
  expect(problemsOf('# nothing yet\n')).toEqual(['/run/secrets/senders: there is no secret in it'])
})

test('the hash of a password can be read and is salted', async () => {
  const [one, two] = await Promise.all([hashPassword('tea'), hashPassword('tea')])
  expect(one).not.toBe(two)
  expect(read(`ann: ${one}`)[0]?.secret.kind).toBe('scrypt')
  // A password is no bearer token.
  expect(findByToken(read(`ann: ${one}`), 'tea')).toBeUndefined()
})
