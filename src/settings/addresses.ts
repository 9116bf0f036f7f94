import { type CrossCheck } from './check.ts'
import { valueAt } from './problems.ts'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i

/** Whether whoever reaches the addresses is asked who he is. */
export const checkAddresses: CrossCheck = (written) => [...unasked(written), ...certificatesOfNobody(written)]

/** Addresses that other machines reach, where nobody is asked who he is and the settings do not say that this is meant. */
function unasked(written: unknown): ReturnType<CrossCheck> {
  if (valueAt(written, ['insecure']) === true) return []
  const asked = isFilled(written, ['access', 'credentials'])
  const anonymous = valueAt(written, ['access', 'anonymous'])
  const ports = [
    { section: 'accept', rights: ['send'] },
    { section: 'expose', rights: ['read_metrics', 'read_traces'] }
  ]
  return ports.flatMap(({ section: port, rights }) => {
    const path = [port, 'host']
    const host = valueAt(written, path)
    if (typeof host !== 'string' || host === '' || LOOPBACK.test(host)) return []
    if (needsClientCertificate(written, port)) return []
    const open = Array.isArray(anonymous) && rights.some((right) => anonymous.includes(right))
    if (asked && !open) return []
    const why = asked ? 'access.anonymous lets them in' : 'nobody asks who they are'
    const message = `other machines reach ${host} and ${why}; use 127.0.0.1, or set ${asked ? '' : 'access.credentials or '}insecure: true`
    return [{ path, message }]
  })
}

/** Names in certificates mean nothing where no client is asked for one. */
function certificatesOfNobody(written: unknown): ReturnType<CrossCheck> {
  const entries = valueAt(written, ['access', 'credentials'])
  const asks = ['accept', 'expose'].some((port) => isFilled(written, [port, 'tls', 'client_ca_file']))
  if (asks || !Array.isArray(entries)) return []
  return entries.flatMap((_, index) => {
    const path = ['access', 'credentials', index, 'certificates']
    const message = 'nobody shows one: neither accept.tls nor expose.tls has a client_ca_file'
    return isFilled(written, path) ? [{ path, message }] : []
  })
}

function needsClientCertificate(written: unknown, port: string): boolean {
  const isRequired = valueAt(written, [port, 'tls', 'client_certificate']) !== 'optional'
  return isRequired && isFilled(written, [port, 'tls', 'client_ca_file'])
}

/** Whether a text or a list is there and not empty. */
function isFilled(written: unknown, path: PropertyKey[]): boolean {
  const value = valueAt(written, path)
  return (typeof value === 'string' || Array.isArray(value)) && value.length > 0
}

interface Port {
  readonly host: string
  readonly tls: object | undefined
}

export interface Doors {
  readonly insecure: boolean
  readonly access: { readonly files: readonly unknown[] }
  readonly accept: Port
  readonly expose: Port
}

/** What is allowed and still worth a word at the start. */
export function addressWarnings({ insecure, access, accept, expose }: Doors): string[] {
  const warnings = insecure
    ? ['insecure: true, so whoever reaches these addresses may send spans and read every name']
    : []
  for (const [section, { host, tls }] of Object.entries({ accept, expose })) {
    if (access.files.length === 0 || tls !== undefined || LOOPBACK.test(host)) continue
    warnings.push(`${section}.tls is not set, so tokens and passwords come to ${host} in the clear`)
  }
  return warnings
}
