import { expect, test } from '@jest/globals'
import { readCredentials } from '../../../src/access/credentials.ts'
import {
  createGuard,
  openToAll,
  readAuthorization,
  type Decision,
  type Guard,
  type GuardParts
} from '../../../src/access/guard.ts'
import { hashPassword } from '../../../src/access/secrets.ts'
import { accessSection, accessSettings, rights, type Right } from '../../../src/access/settings.ts'

const SEND = 'token-of-the-senders'
const METRICS = 'token-of-prometheus'
const TRACES = 'token-of-the-people'

const credentials = [
  ...readCredentials(`shop: ${SEND}`, 'senders', ['send']),
  ...readCredentials(`prometheus: ${METRICS}`, 'scrapers', ['read_metrics']),
  ...readCredentials(`ann: ${TRACES}`, 'people', ['read_traces'])
]

const peer = { network: '10.0.0.7', certificateNames: [] }
const bearer = (token: string): string => `Bearer ${token}`
const basic = (name: string, secret: string): string => `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`

function guard(written: object = {}, known = credentials, guess: GuardParts['guess'] = () => undefined): Guard {
  return createGuard(accessSettings(accessSection.parse(written)), { credentials: () => known, guess })
}

async function decided(guarded: Guard, authorization: string | undefined, right: Right): Promise<string> {
  const decision: Decision = await guarded({ authorization, peer }, right)
  return 'denied' in decision ? decision.denied : `as ${decision.client}`
}

test('each right is its own', async () => {
  const granted = { [SEND]: 'send', [METRICS]: 'read_metrics', [TRACES]: 'read_traces' }
  for (const [token, own] of Object.entries(granted)) {
    for (const right of rights) {
      expect([token, right, await decided(guard(), bearer(token), right)]).toEqual([
        token,
        right,
        right === own ? expect.stringMatching(/^as /) : 'forbidden'
      ])
    }
  }
})

test('a secret is taken as bearer token and as basic auth with its name', async () => {
  expect(await decided(guard(), bearer(SEND), 'send')).toBe('as shop')
  expect(await decided(guard(), `bearer   ${SEND}`, 'send')).toBe('as shop')
  expect(await decided(guard(), basic('shop', SEND), 'send')).toBe('as shop')
  expect(await decided(guard(), basic('ann', SEND), 'send')).toBe('unauthenticated')
})

test.each([
  ['nothing', undefined],
  ['an empty header', ''],
  ['a wrong token', bearer('token-of-the-sender_')],
  ['a longer token', bearer(`${SEND}x`)],
  ['another scheme', `Digest ${SEND}`],
  ['basic without a colon', `Basic ${Buffer.from('shop').toString('base64')}`],
  ['more than is looked at', bearer('x'.repeat(5_000))],
  ['the token without a scheme', SEND]
])('%s is unauthenticated', async (_, authorization) => {
  expect(await decided(guard(), authorization, 'send')).toBe('unauthenticated')
})

test('anonymous clients are known by their network and have the rights that are said', async () => {
  const guarded = guard({ anonymous: ['read_metrics'] })
  expect(await decided(guarded, undefined, 'read_metrics')).toBe('as 10.0.0.7')
  expect(await decided(guarded, undefined, 'send')).toBe('unauthenticated')
  expect(await decided(guarded, bearer('a-wrong-token-here'), 'read_metrics')).toBe('unauthenticated')
  expect(await decided(guarded, bearer(SEND), 'read_metrics')).toBe('as shop')
})

test('without credentials nobody is asked', async () => {
  expect(await decided(openToAll, bearer('whatever'), 'send')).toBe('as 10.0.0.7')
})

test('what is wrong is told without saying what would be right', async () => {
  const decision = await guard()({ authorization: bearer('x'.repeat(20)), peer }, 'send')
  expect(decision).toEqual({ denied: 'unauthenticated', message: 'the credential is not known here' })
})

test('a password is checked against its hash, and known the second time', async () => {
  const known = readCredentials(`ann: ${await hashPassword('correct horse')}`, 'people', ['read_traces'])
  const guarded = guard({}, known)
  const ask = (name: string, password: string): ReturnType<Guard> =>
    guarded({ authorization: basic(name, password), peer }, 'read_traces')
  const firstTime = ask('ann', 'correct horse')
  expect(firstTime).toBeInstanceOf(Promise)
  expect(await firstTime).toEqual({ client: 'ann' })
  expect(ask('ann', 'correct horse')).toEqual({ client: 'ann' })
  expect(await ask('ann', 'wrong horse')).toMatchObject({ denied: 'unauthenticated' })
  expect(await ask('bob', 'correct horse')).toMatchObject({ denied: 'unauthenticated' })
})

test('a flood of passwords is refused, and does not keep out who was in before', async () => {
  const known = readCredentials(`ann: ${await hashPassword('correct horse')}`, 'people', ['read_traces'])
  const guarded = guard({}, known)
  const ask = (name: string, password: string): ReturnType<Guard> =>
    guarded({ authorization: basic(name, password), peer }, 'read_traces')
  await ask('ann', 'correct horse')
  const flood = Array.from({ length: 20 }, (_, i) => ask(i % 2 === 0 ? 'ann' : 'nobody', `guess ${i}`))
  expect(ask('ann', 'correct horse')).toEqual({ client: 'ann' })
  const answers = await Promise.all(flood.map((answer) => Promise.resolve(answer)))
  // 16 may wait; a name that nobody has waits as long as one that somebody has.
  expect(answers.map((answer) => ('denied' in answer ? answer.denied : ''))).toEqual([
    ...Array<string>(16).fill('unauthenticated'),
    ...Array<string>(4).fill('busy')
  ])
})

test('what may be a guess is counted by network; beyond it no password is checked, and who is right is still let in', async () => {
  const known = [...credentials, ...readCredentials(`eve: ${await hashPassword('correct horse')}`, 'people', ['send'])]
  const guesses: string[] = []
  const guarded = guard({}, known, (network) => (guesses.push(network) > 4 ? 1_500 : undefined))
  const ask = (authorization?: string): ReturnType<Guard> => guarded({ authorization, peer }, 'send')
  expect(await ask(basic('eve', 'correct horse'))).toEqual({ client: 'eve' })
  for (const guess of [bearer('not-the-token-here'), 'Digest x', basic('eve', 'wrong horse')]) {
    expect(await ask(guess)).toMatchObject({ denied: 'unauthenticated' })
  }
  for (const guess of [bearer('not-the-token-here'), 'Digest x', basic('eve', 'another horse'), basic('bob', 'x')]) {
    // At once: nothing was worked out.
    expect(ask(guess)).toEqual({
      denied: 'too_many_failures',
      message: 'too many wrong credentials came from this address',
      retryAfterMs: 1_500
    })
  }
  expect(ask(bearer(SEND))).toEqual({ client: 'shop' })
  expect(ask(basic('eve', 'correct horse'))).toEqual({ client: 'eve' })
  expect(ask(undefined)).toMatchObject({ denied: 'unauthenticated' })
  expect(new Set(guesses)).toEqual(new Set([peer.network]))
  expect(guesses).toHaveLength(8)
})

test('an authorization header is read as RFC 7617 and RFC 6750 have it', () => {
  expect(readAuthorization('Basic dGVzdDoxMjPCow==')).toEqual({ name: 'test', secret: '123£' })
  expect(readAuthorization(basic('a', 'b:c'))).toEqual({ name: 'a', secret: 'b:c' })
  expect(readAuthorization('Bearer mF_9.B5f-4.1JqM')).toEqual({ name: undefined, secret: 'mF_9.B5f-4.1JqM' })
  expect(readAuthorization('Bearer a b')).toBeUndefined()
})

test('a certificate stands for a token by its names', () => {
  const access = {
    credentials: [
      { certificates: ['spiffe://prod/shop/*'], may: ['send'] },
      { certificates: ['prometheus.example'], may: ['read_metrics'] }
    ]
  }
  const guarded = guard(access)
  const ask = (names: string[], right: Right, authorization?: string): ReturnType<Guard> =>
    guarded({ authorization, peer: { network: '10.0.0.7', certificateNames: names } }, right)
  expect(ask(['other', 'spiffe://prod/shop/cart'], 'send')).toEqual({ client: 'spiffe://prod/shop/cart' })
  expect(ask(['spiffe://prod/shop/cart'], 'read_metrics')).toMatchObject({ denied: 'forbidden' })
  expect(ask(['spiffe://prod/other'], 'send')).toMatchObject({ denied: 'unauthenticated' })
  // A wrong token is a mistake that somebody should hear of.
  expect(ask(['spiffe://prod/shop/cart'], 'send', bearer('a-wrong-token-here'))).toMatchObject({
    denied: 'unauthenticated'
  })
})
