import { isIPv4, isIPv6, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Whoever is at the other end of a connection, before it has said anything. */
export interface Peer {
  /** An IPv4 address, or the /64 of an IPv6 address, which is what one customer is given. */
  readonly network: string
  /** Names in a certificate that the client CA signed; empty without one. */
  readonly certificateNames: readonly string[]
}

const peers = new WeakMap<Socket, Peer>()

/** Does not change while a connection lives, so it is worked out once. */
export function peerOf(socket: Socket): Peer {
  const known = peers.get(socket)
  if (known !== undefined) return known
  const peer = { network: networkOf(socket.remoteAddress ?? ''), certificateNames: certificateNames(socket) }
  peers.set(socket, peer)
  return peer
}

const nameKinds = new Set(['DNS', 'URI', 'email'])
const MAPPED = '::ffff:'

export function networkOf(address: string): string {
  const bare =
    address.startsWith(MAPPED) && isIPv4(address.slice(MAPPED.length)) ? address.slice(MAPPED.length) : address
  if (!isIPv6(bare)) return bare
  const [head = '', tail] = (bare.split('%', 1)[0] ?? '').split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const groups = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

function certificateNames(socket: Socket): readonly string[] {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return []
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return []
  const alternatives = alternativeNames(certificate.subjectAltName ?? '')
  return alternatives.length > 0 ? alternatives : commonNames(certificate.subject)
}

/** `DNS:a.example, IP Address:::1, URI:"a, b"`: a value with a separator in it comes as a JSON string. */
export function alternativeNames(text: string): string[] {
  const names: string[] = []
  // Sticky: what stands within quotes is never looked at for another name.
  for (const [, kind = '', value = ''] of text.matchAll(/([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy)) {
    if (nameKinds.has(kind)) names.push(value.startsWith('"') ? (JSON.parse(value) as string) : value)
  }
  return names
}

/** A line for each part of the subject. */
function commonNames(subject: string): string[] {
  return subject.split('\n').flatMap((line) => (line.startsWith('CN=') ? [line.slice(3)] : []))
}
