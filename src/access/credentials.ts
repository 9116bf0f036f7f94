import { basename } from 'node:path'
import { timingSafeEqual } from 'node:crypto'
import { Fault } from '../runtime/fault.ts'
import { digestOf, readSecret, type ScryptHash, type SecretHash } from './secrets.ts'
import { type Right } from './settings.ts'

export interface Credential {
  /** What the client is called in counters, limits and the log. */
  readonly name: string
  readonly secret: SecretHash
  readonly may: readonly Right[]
}

const CREDENTIALS_MAX = 1_000
const NAME_CHARS_MAX = 128
const NAMED_LINE = /^([^\s:]+)\s*:\s*(.+)$/
const BARE_HASH = /^sha256:[0-9a-f]{64}$/i

/** One secret a line, with its client's name before it or without. Throws BAD_SETTINGS that names every bad line, never a secret. */
export function readCredentials(text: string, path: string, may: readonly Right[]): Credential[] {
  const problems: string[] = []
  const found: Credential[] = []
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const written = line.trim()
    if (written === '' || written.startsWith('#')) continue
    const [, name, named] = BARE_HASH.test(written) ? [] : (NAMED_LINE.exec(written) ?? [])
    try {
      found.push({ name: checkedName(name ?? basename(path)), secret: readSecret(named ?? written), may })
    } catch (reason) {
      problems.push(`${path}:${index + 1}: ${Fault.from(reason).message}`)
    }
  }
  if (found.length > CREDENTIALS_MAX) problems.push(`${path}: more than ${CREDENTIALS_MAX} lines`)
  if (found.length === 0 && problems.length === 0) problems.push(`${path}: there is no secret in it`)
  if (problems.length > 0) throw new Fault('BAD_SETTINGS', problems.join('\n'))
  return found
}

function checkedName(name: string): string {
  if (name.length > NAME_CHARS_MAX) throw new Fault('BAD_SETTINGS', `a name has at most ${NAME_CHARS_MAX} characters`)
  return name
}

/**
 * The credential whose secret a token is, of this name where one is given. Looks at all of them, whatever it finds, so that
 * time tells nothing.
 */
export function findByToken(credentials: readonly Credential[], token: string, name?: string): Credential | undefined {
  const digest = digestOf(token)
  let found: Credential | undefined
  for (const credential of credentials) {
    const { secret } = credential
    const isSecret = secret.kind === 'sha256' && timingSafeEqual(secret.digest, digest)
    if (!isSecret || (name !== undefined && credential.name !== name)) continue
    // The same secret in two files: what either grants.
    found = found === undefined ? credential : { ...found, may: [...found.may, ...credential.may] }
  }
  return found
}

export type PasswordCredential = Credential & { readonly secret: ScryptHash }

/** Those with a password, of one name or of all. */
export function passwordsOf(credentials: readonly Credential[], name?: string): PasswordCredential[] {
  return credentials.filter(
    (credential): credential is PasswordCredential =>
      credential.secret.kind === 'scrypt' && (name === undefined || credential.name === name)
  )
}
