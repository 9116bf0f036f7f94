import { generateKeyPairSync, randomBytes, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { isIPv4 } from 'node:net'

/**
 * Certificates for tests, made when they are needed: nothing to renew, no key in the repository and no openssl to install.
 * Node reads X.509 but does not write it, so the few pieces of DER are here.
 */
export interface Identity {
  readonly cert: string
  readonly key: string
}

export interface Authority {
  /** PEM. */
  readonly cert: string
  readonly issue: (wanted: Wanted) => Identity
  /** A list of those that it takes back, PEM; it ends a day after it was made, or when it is said. */
  readonly revoke: (identities: readonly Identity[], nextUpdate?: Date) => string
}

export interface Wanted {
  readonly commonName: string
  /** DNS names, IPv4 addresses and URIs. */
  readonly alternatives?: readonly string[]
  readonly notAfter?: Date
}

const HOUR_MS = 3_600_000
const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const OBJECT_ID = 0x06
const OCTETS = 0x04
const BITS = 0x03
const UTF8 = 0x0c
const TIME = 0x18
const TRUE = Buffer.from([0x01, 0x01, 0xff])
const context = (number: number): number => 0xa0 + number

const ecdsaWithSha256 = der(SEQUENCE, objectId('2a8648ce3d040302'))
const commonNameId = objectId('550403')
const basicConstraintsId = objectId('551d13')
const alternativeNameId = objectId('551d11')

export function createAuthority(name: string): Authority {
  const { privateKey, publicKey } = newKeys()
  const isAuthority = der(SEQUENCE, basicConstraintsId, TRUE, der(OCTETS, der(SEQUENCE, TRUE)))
  const cert = signed({ subject: name, issuer: name, publicKey, signer: privateKey, extensions: [isAuthority] })
  return {
    cert,
    issue({ commonName, alternatives = [], notAfter }) {
      const keys = newKeys()
      const names = der(SEQUENCE, ...alternatives.map(alternativeName))
      const extensions = alternatives.length === 0 ? [] : [der(SEQUENCE, alternativeNameId, der(OCTETS, names))]
      const { publicKey: subjectKey } = keys
      return {
        cert: signed({
          subject: commonName,
          issuer: name,
          publicKey: subjectKey,
          signer: privateKey,
          extensions,
          notAfter
        }),
        key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      }
    },
    revoke(identities, nextUpdate = new Date(Date.now() + 24 * HOUR_MS)) {
      const madeAt = time(new Date(nextUpdate.getTime() - 48 * HOUR_MS))
      const entries = identities.map((identity) => {
        const serial = Buffer.from(new X509Certificate(identity.cert).serialNumber, 'hex')
        return der(SEQUENCE, der(INTEGER, serial), madeAt)
      })
      const revoked = entries.length === 0 ? [] : [der(SEQUENCE, ...entries)]
      const version2 = der(INTEGER, Buffer.from([1]))
      const list = der(SEQUENCE, version2, ecdsaWithSha256, commonName(name), madeAt, time(nextUpdate), ...revoked)
      return pem('X509 CRL', withSignature(list, privateKey))
    }
  }
}

function newKeys(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
}

interface Unsigned {
  readonly subject: string
  readonly issuer: string
  readonly publicKey: KeyObject
  readonly signer: KeyObject
  readonly extensions: readonly Buffer[]
  readonly notAfter?: Date | undefined
}

function signed({ subject, issuer, publicKey, signer, extensions, notAfter }: Unsigned): string {
  const validity = [new Date(Date.now() - 24 * HOUR_MS), notAfter ?? new Date(Date.now() + 24 * HOUR_MS)]
  const body = der(
    SEQUENCE,
    der(context(0), der(INTEGER, Buffer.from([2]))),
    der(INTEGER, Buffer.from([1, ...randomBytes(15)])),
    ecdsaWithSha256,
    commonName(issuer),
    der(SEQUENCE, ...validity.map(time)),
    commonName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    ...(extensions.length === 0 ? [] : [der(context(3), der(SEQUENCE, ...extensions))])
  )
  return pem('CERTIFICATE', withSignature(body, signer))
}

function withSignature(body: Buffer, signer: KeyObject): Buffer {
  return der(SEQUENCE, body, ecdsaWithSha256, der(BITS, Buffer.from([0]), sign('sha256', body, signer)))
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const size = content.length
  const head = size < 128 ? [tag, size] : size < 256 ? [tag, 0x81, size] : [tag, 0x82, size >> 8, size & 255]
  return Buffer.concat([Buffer.from(head), content])
}

function objectId(hex: string): Buffer {
  return der(OBJECT_ID, Buffer.from(hex, 'hex'))
}

function commonName(name: string): Buffer {
  return der(SEQUENCE, der(SET, der(SEQUENCE, commonNameId, der(UTF8, Buffer.from(name)))))
}

/** 20261126154143Z */
function time(date: Date): Buffer {
  return der(TIME, Buffer.from(`${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`))
}

function alternativeName(name: string): Buffer {
  const DNS = 0x82
  const URI = 0x86
  const ADDRESS = 0x87
  if (isIPv4(name)) return der(ADDRESS, Buffer.from(name.split('.').map(Number)))
  return der(name.includes('://') ? URI : DNS, Buffer.from(name))
}
