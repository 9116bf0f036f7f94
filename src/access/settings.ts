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
  key_file: filePath.default('').describe('Its private key, PEM, without a passphrase.'),
  client_ca_file: filePath
    .default('')
    .describe('Asks clients for a certificate that one of these signed, PEM. Empty: they need none.'),
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
  const needs = (key: 'cert_file' | 'key_file', because: string): void => {
    if (tls[key] === '') context.addIssue({ code: 'custom', path: [key], message: `missing; ${because} needs it` })
  }
  if (tls.cert_file !== '') needs('key_file', 'cert_file')
  else if (tls.key_file !== '') needs('cert_file', 'key_file')
  else if (tls.client_ca_file !== '') needs('cert_file', 'client_ca_file')
})

export interface TlsSettings {
  readonly certFile: string
  readonly keyFile: string
  /** Undefined = clients are asked for nothing. */
  readonly clientCaFile: string | undefined
  readonly clientCertificate: (typeof clientCertificates)[number]
  readonly minVersion: (typeof versions)[number]
}

/** Undefined = in the clear. */
export function tlsSettings(parsed: z.output<typeof tlsSection>): TlsSettings | undefined {
  if (parsed.cert_file === '') return undefined
  return {
    certFile: parsed.cert_file,
    keyFile: parsed.key_file,
    clientCaFile: parsed.client_ca_file === '' ? undefined : parsed.client_ca_file,
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

export interface AccessSettings {
  readonly files: readonly { readonly file: string; readonly may: readonly Right[] }[]
  readonly certificates: readonly CertificateGrant[]
  readonly anonymous: readonly Right[]
  readonly filesIntervalMs: number
}

export function accessSettings(parsed: z.output<typeof accessSection>): AccessSettings {
  return {
    files: parsed.credentials.flatMap(({ file, may }) => (file === undefined ? [] : [{ file, may }])),
    certificates: parsed.credentials.flatMap(({ certificates = [], may }) =>
      certificates.map((glob) => ({ glob, may }))
    ),
    anonymous: parsed.anonymous,
    filesIntervalMs: parsed.files_interval
  }
}
