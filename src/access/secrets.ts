import { createHash, createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Fault } from '../runtime/fault.ts'

/**
 * What is kept of a secret. A token of machines has more bits than anybody can try, so one SHA-256 hides it; a password
 * of people has few, so each try must cost time and memory.
 */
export type SecretHash = { readonly kind: 'sha256'; readonly digest: Buffer } | ScryptHash

export interface ScryptHash {
  readonly kind: 'scrypt'
  readonly logN: number
  readonly r: number
  readonly p: number
  readonly salt: Buffer
  readonly digest: Buffer
}

/** 32 MiB and some 60 ms a try. */
const USUAL = { logN: 15, r: 8, p: 1 } as const
const SALT_BYTES = 16
const DIGEST_BYTES = 32
/** A line of somebody's file must not be able to ask for gigabytes. */
const LOG_N_MAX = 17
const MEMORY_BYTES_MAX = 256 * 1024 ** 2

const SCRYPT_LINE = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})$/
const SHA256_LINE = /^sha256:([0-9a-f]{64})$/i
const SHORTEST_TOKEN = 16

/** What stands in a file for a secret: itself, or its hash. Throws a message without the secret. */
export function readSecret(text: string): SecretHash {
  const [, hex] = SHA256_LINE.exec(text) ?? []
  if (hex !== undefined) return { kind: 'sha256', digest: Buffer.from(hex, 'hex') }
  if (text.startsWith('$scrypt$')) return readScrypt(text)
  if (/^sha256:/i.test(text)) throw new Fault('BAD_SETTINGS', 'sha256: needs 64 hex digits')
  if (/\s/.test(text)) throw new Fault('BAD_SETTINGS', 'a secret has no blanks')
  if (text.length < SHORTEST_TOKEN) {
    throw new Fault(
      'BAD_SETTINGS',
      `a secret needs at least ${SHORTEST_TOKEN} characters; for a password of people write its hash`
    )
  }
  return { kind: 'sha256', digest: digestOf(text) }
}

function readScrypt(text: string): ScryptHash {
  const [, logN, r, p, salt = '', digest = ''] = SCRYPT_LINE.exec(text) ?? []
  const cost = { logN: Number(logN), r: Number(r), p: Number(p) }
  const bytes = 128 * 2 ** cost.logN * cost.r
  const possible = cost.logN >= 1 && cost.logN <= LOG_N_MAX && cost.r >= 1 && cost.p >= 1 && bytes < MEMORY_BYTES_MAX
  if (!possible)
    throw new Fault('BAD_SETTINGS', 'this is no scrypt hash that `tailspan hash-secret` could have written')
  return { kind: 'scrypt', ...cost, salt: Buffer.from(salt, 'base64'), digest: Buffer.from(digest, 'base64') }
}

/** Of fixed length, so that comparing digests tells nothing about a secret, not even how long it is. */
export function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Throws a message without the secret. */
export function hashToken(token: string): string {
  const hash = readSecret(token)
  if (hash.kind !== 'sha256') throw new Fault('BAD_SETTINGS', 'this is a hash already')
  return `sha256:${hash.digest.toString('hex')}`
}

/** `$scrypt$ln=15,r=8,p=1$salt$digest`, as passlib and others write it. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const digest = await derive(password, { ...USUAL, salt })
  const bare = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')
  return `$scrypt$ln=${USUAL.logN},r=${USUAL.r},p=${USUAL.p}$${bare(salt)}$${bare(digest)}`
}

type Cost = Pick<ScryptHash, 'logN' | 'r' | 'p' | 'salt'>
const scryptAsync = promisify<string, Buffer, number, object, Buffer>(scrypt)

function derive(password: string, { logN, r, p, salt }: Cost): Promise<Buffer> {
  return scryptAsync(password, salt, DIGEST_BYTES, { N: 2 ** logN, r, p, maxmem: 2 * MEMORY_BYTES_MAX })
}

export interface PasswordChecker {
  /** Undefined when too many are being checked: nobody knows. */
  readonly check: (password: string, hash: ScryptHash) => Promise<boolean | undefined>
  /** Whether it was found right before. */
  readonly isKnown: (password: string, hash: ScryptHash) => boolean
}

/** Checks are dear, so few wait at a time; a strange password must not keep those out who were in before. */
const WAITING_MAX = 16
const KNOWN_MAX = 256

/** Checks passwords one after the other, and remembers which were right by a keyed digest that dies with the process. */
export function createPasswordChecker(): PasswordChecker {
  const key = randomBytes(32)
  const known = new Set<string>()
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()

  const mark = (password: string, { digest, salt }: ScryptHash): string =>
    createHmac('sha256', key).update(digest).update(salt).update(password).digest('base64')

  async function compare(password: string, hash: ScryptHash): Promise<boolean> {
    const right = timingSafeEqual(await derive(password, hash), hash.digest)
    if (right) remember(mark(password, hash))
    return right
  }

  function remember(seen: string): void {
    const [oldest] = known
    if (known.size >= KNOWN_MAX && oldest !== undefined) known.delete(oldest)
    known.add(seen)
  }

  return {
    isKnown: (password, hash) => known.has(mark(password, hash)),
    check(password, hash) {
      if (waiting >= WAITING_MAX) return Promise.resolve(undefined)
      waiting += 1
      const mine = last
        .then(() => compare(password, hash))
        .finally(() => {
          waiting -= 1
        })
      last = mine.catch(() => undefined)
      return mine
    }
  }
}
