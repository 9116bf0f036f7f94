import { z } from 'zod'
import { durationMs, section } from '../runtime/setting-kinds.ts'

/** What somebody may do here. Health is open to all. */
export const rights = ['send', 'read_metrics', 'read_traces'] as const
export type Right = (typeof rights)[number]

const PATH_MAX = 4_096
const filePath = z.string().max(PATH_MAX)
const versions = ['TLSv1.2', 'TLSv1.3'] as const
const clientCertificates = ['required', 'optional'] as const

/** TLS of one port, or of the two OTLP ports together. */
export const tlsSection = section({
  cert_file: filePath
    .default('')
    .describe('Certificate and what signed it, PEM. Empty: no TLS. Read again when it changes, and on SIGHUP.'),
  key_file: filePath.default('').describe('Its private key, PEM.'),
  key_passphrase_file: filePath
    .default('')
    .describe('What that key is encrypted with: the file holds it and nothing else. Empty: it is not.'),
  client_ca_file: filePath
    .default('')
    .describe('Asks clients for a certificate that one of these signed, PEM. Empty: they need none.'),
  client_crl_file: filePath
    .default('')
    .describe(
      'Lists of client certificates that were taken back (CRL), PEM; read again when it changes. Every authority of a client’s chain needs one that has not expired, or its clients are not let in. Connections that are open go on.'
    ),
  client_certificate: z
    .enum(clientCertificates)
    .default('required')
    .describe(
      'With optional, clients without such a certificate are let in too, as far as access grants them anything: health checks, for example.'
    ),
  min_version: z
    .enum(versions)
    .default('TLSv1.2')
    .describe('Lowest version of TLS. Raise it when all clients know the newer one.')
}).superRefine((tls, context) => {
  const needs = (key: 'cert_file' | 'key_file' | 'client_ca_file', because: string): void => {
    if (tls[key] === '') context.addIssue({ code: 'custom', path: [key], message: `missing; ${because} needs it` })
  }
  if (tls.cert_file !== '') needs('key_file', 'cert_file')
  else if (tls.key_file !== '') needs('cert_file', 'key_file')
  else if (tls.client_ca_file !== '') needs('cert_file', 'client_ca_file')
  else if (tls.key_passphrase_file !== '') needs('key_file', 'key_passphrase_file')
  if (tls.client_crl_file !== '' && tls.client_ca_file === '') needs('client_ca_file', 'client_crl_file')
})

export interface TlsSettings {
  readonly certFile: string
  readonly keyFile: string
  /** Undefined = the key is not encrypted. */
  readonly keyPassphraseFile: string | undefined
  /** Undefined = clients are asked for nothing. */
  readonly clientCaFile: string | undefined
  /** Undefined = what an authority has signed holds until it ends. */
  readonly clientCrlFile: string | undefined
  readonly clientCertificate: (typeof clientCertificates)[number]
  readonly minVersion: (typeof versions)[number]
}

/** Undefined = in the clear. */
export function tlsSettings(parsed: z.output<typeof tlsSection>): TlsSettings | undefined {
  if (parsed.cert_file === '') return undefined
  const given = (file: string): string | undefined => (file === '' ? undefined : file)
  return {
    certFile: parsed.cert_file,
    keyFile: parsed.key_file,
    keyPassphraseFile: given(parsed.key_passphrase_file),
    clientCaFile: given(parsed.client_ca_file),
    clientCrlFile: given(parsed.client_crl_file),
    clientCertificate: parsed.client_certificate,
    minVersion: parsed.min_version
  }
}

const ENTRIES_MAX = 100
const INTERVAL_MAX_MS = 86_400_000
const rightList = z.array(z.enum(rights))
const rightsInWords =
  'send (OTLP), read_metrics (/metrics), read_traces (the page, the API and the traces it keeps). Health is always open'

const credentialEntry = section({
  file: filePath
    .min(1)
    .optional()
    .describe(
      'A secret a line, `name: secret` or the secret alone. Clients show it as a bearer token, or with the name as basic auth. A line may hold its hash instead: `tailspan hash-secret` writes it. Several lines of one name: the old secret and the new one.'
    ),
  certificates: z
    .array(z.string().min(1).max(512))
    .min(1)
    .optional()
    .describe(
      'Instead of a file: names in client certificates (DNS, URI or e-mail; the common name where there is none), * for any run of characters.'
    ),
  may: rightList.min(1).describe(`What they may do: ${rightsInWords}.`)
}).superRefine((entry, context) => {
  if ((entry.file === undefined) === (entry.certificates === undefined)) {
    context.addIssue({ code: 'custom', message: 'expected one of file, certificates' })
  }
})

export const accessSection = section({
  credentials: z
    .array(credentialEntry)
    .max(ENTRIES_MAX)
    .default([])
    .describe(
      'Who may do what. With none, nobody is asked who he is. With one, everybody is, on every port, except for health.'
    ),
  anonymous: rightList
    .default([])
    .describe(
      'What whoever shows no credential may still do once there are any: [read_metrics] for a Prometheus without one, for example.'
    ),
  failures_per_minute: z
    .union([z.literal('off'), z.int().min(1).max(1_000_000)])
    .default(60)
    .describe(
      'Wrong credentials, and passwords not seen before, that one IPv4 address or IPv6 /64 may try. Beyond it passwords are not looked at, and whoever shows no right token is told when to come back.'
    ),
  files_interval: durationMs
    .refine((ms) => ms >= 1_000 && ms <= INTERVAL_MAX_MS, 'expected 1s to 1d')
    .default(10_000)
    .describe(
      'How often files of certificates and credentials are looked at for changes. What cannot be used is logged, counted, and the old stays in force.'
    )
})

export interface CertificateGrant {
  /** Of names in it, * for any run of characters. */
  readonly glob: string
  readonly may: readonly Right[]
}

/** Of each client; Infinity = off. */
export interface ClientLimitSettings {
  readonly requestsPerSecond: number
  readonly bytesPerSecond: number
  readonly burstMs: number
  readonly clientsMax: number
}

export interface AccessSettings {
  readonly files: readonly { readonly file: string; readonly may: readonly Right[] }[]
  readonly certificates: readonly CertificateGrant[]
  readonly anonymous: readonly Right[]
  /** Wrong credentials of one address. */
  readonly failureLimits: ClientLimitSettings
  readonly filesIntervalMs: number
}

export function accessSettings(parsed: z.output<typeof accessSection>): AccessSettings {
  return {
    files: parsed.credentials.flatMap(({ file, may }) => (file === undefined ? [] : [{ file, may }])),
    certificates: parsed.credentials.flatMap(({ certificates = [], may }) =>
      certificates.map((glob) => ({ glob, may }))
    ),
    anonymous: parsed.anonymous,
    failureLimits: failureLimits(parsed.failures_per_minute),
    filesIntervalMs: parsed.files_interval
  }
}

const MINUTE_MS = 60_000
/** Addresses told apart at once, 0.2 KiB each; the rest share one limit. */
const FAILING_CLIENTS_MAX = 10_000

function failureLimits(perMinute: number | 'off'): ClientLimitSettings {
  const requestsPerSecond = perMinute === 'off' ? Infinity : (perMinute * 1_000) / MINUTE_MS
  return { requestsPerSecond, bytesPerSecond: Infinity, burstMs: MINUTE_MS, clientsMax: FAILING_CLIENTS_MAX }
}
