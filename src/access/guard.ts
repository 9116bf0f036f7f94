import { compileGlob } from '../runtime/glob.ts'
import { findByToken, passwordsOf, type Credential } from './credentials.ts'
import { type Peer } from './peer.ts'
import { createPasswordChecker } from './secrets.ts'
import { type AccessSettings, type Right } from './settings.ts'

/** A request, as far as who sent it matters. */
export interface Caller {
  readonly authorization: string | undefined
  readonly peer: Peer
}

export const denials = ['unauthenticated', 'forbidden', 'busy', 'too_many_failures'] as const
export type DenialReason = (typeof denials)[number]

export interface Denied {
  readonly denied: DenialReason
  /** For the client; says nothing of what would have been right. */
  readonly message: string
  /** When it is worth while to ask again; undefined = nobody knows. */
  readonly retryAfterMs?: number
}

export interface Allowed {
  /** The name of its credential, else the network it comes from: what limits are counted by. */
  readonly client: string
}

export type Decision = Allowed | Denied

export function isDenied(decision: Decision): decision is Denied {
  return 'denied' in decision
}

/** Decides from the headers alone, before a byte of a body is read. Only a password seen for the first time takes a while. */
export type Guard = (caller: Caller, right: Right) => Decision | Promise<Decision>

/** What an answer of 401 offers, in the order of preference. */
export const challenges = ['Bearer realm="tailspan"', 'Basic realm="tailspan", charset="UTF-8"']

/** Nobody is asked who he is. */
export const openToAll: Guard = ({ peer }) => ({ client: peer.network })

const wrong: Denied = { denied: 'unauthenticated', message: 'the credential is not known here' }
const missing: Denied = { denied: 'unauthenticated', message: 'a bearer token or basic auth is needed' }
const busy: Denied = { denied: 'busy', message: 'too many passwords are being checked' }
const guessing: Denied = {
  denied: 'too_many_failures',
  message: 'too many wrong credentials came from this address'
}
const forbidden = (right: Right): Denied => ({ denied: 'forbidden', message: `the credential does not grant ${right}` })

export interface GuardParts {
  readonly credentials: () => readonly Credential[]
  /** Counts one more guess from there, or gives the ms until it may make its next one. */
  readonly guess: (network: string) => number | undefined
}

export function createGuard(settings: AccessSettings, { credentials, guess }: GuardParts): Guard {
  const passwords = createPasswordChecker()
  const certificates = settings.certificates.map(({ glob, may }) => ({ matches: compileGlob(glob), may }))

  function decide(grants: readonly Right[], client: string, right: Right, known: boolean): Decision {
    if (grants.includes(right) || settings.anonymous.includes(right)) return { client }
    return known ? forbidden(right) : missing
  }

  /** Without a word of its own, by the certificate it may have shown. */
  function bySilence({ certificateNames, network }: Peer, right: Right): Decision {
    for (const name of certificateNames) {
      const grants = certificates.filter(({ matches }) => matches(name)).flatMap(({ may }) => may)
      if (grants.length > 0) return decide(grants, name, right, true)
    }
    return decide([], network, right, false)
  }

  function tooMany({ network }: Peer): Denied | undefined {
    const retryAfterMs = guess(network)
    return retryAfterMs === undefined ? undefined : { ...guessing, retryAfterMs }
  }

  async function byPassword(name: string, password: string, right: Right): Promise<Decision> {
    const all = credentials()
    const named = passwordsOf(all, name)
    for (const credential of named) {
      const isRight = await passwords.check(password, credential.secret)
      if (isRight === undefined) return busy
      if (isRight) return decide(credential.may, name, right, true)
    }
    // A name that is not there must take as long as one that is.
    const [decoy] = named.length > 0 ? [] : passwordsOf(all)
    const isAny = decoy === undefined ? false : await passwords.check(password, decoy.secret)
    return isAny === undefined ? busy : wrong
  }

  return ({ authorization, peer }, right) => {
    if (authorization === undefined) return bySilence(peer, right)
    const shown = readAuthorization(authorization)
    if (shown === undefined) return tooMany(peer) ?? wrong
    const all = credentials()
    const { name, secret } = shown
    const found = findByToken(all, secret, name)
    if (found !== undefined) return decide(found.may, found.name, right, true)
    if (name === undefined) return tooMany(peer) ?? wrong
    const known = passwordsOf(all, name).find((credential) => passwords.isKnown(secret, credential.secret))
    if (known !== undefined) return decide(known.may, name, right, true)
    // Who is right must not suffer from a neighbour who is not, so only what may be a guess is counted.
    return tooMany(peer) ?? byPassword(name, secret, right)
  }
}

interface Shown {
  /** Undefined of a bearer token. */
  readonly name: string | undefined
  readonly secret: string
}

const AUTHORIZATION_CHARS_MAX = 4_096

export function readAuthorization(header: string): Shown | undefined {
  if (header.length > AUTHORIZATION_CHARS_MAX) return undefined
  const [, scheme = '', value = ''] = /^([A-Za-z]+) +(\S+) *$/.exec(header) ?? []
  if (/^bearer$/i.test(scheme)) return { name: undefined, secret: value }
  if (!/^basic$/i.test(scheme)) return undefined
  const pair = Buffer.from(value, 'base64').toString()
  const colon = pair.indexOf(':')
  return colon < 0 ? undefined : { name: pair.slice(0, colon), secret: pair.slice(colon + 1) }
}
