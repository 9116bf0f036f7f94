import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { Fault } from '../../runtime/fault.ts'
import { type DestinationSettings } from '../settings.ts'

export interface ListeningAt {
  readonly host: string
  readonly port: number
}

const ANY = new Set(['0.0.0.0', '::'])
const LOOPBACK = /^(127\.|::1$|::ffff:127\.)/

/**
 * Throws BAD_SETTINGS when a destination is where Tailspan itself takes spans: they would come back for ever. A name that
 * cannot be resolved now says nothing.
 */
export async function refuseLoops(
  destinations: readonly Pick<DestinationSettings, 'name' | 'endpoint'>[],
  listening: readonly ListeningAt[]
): Promise<void> {
  for (const { name, endpoint } of destinations) {
    const url = new URL(endpoint)
    const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
    const onPort = listening.filter((own) => own.port === port)
    if (onPort.length === 0) continue
    const addresses = await addressesOf(url.hostname.replace(/^\[|\]$/g, ''))
    if (onPort.some(({ host }) => addresses.some((address) => isReached(host, address)))) {
      throw new Fault('BAD_SETTINGS', `forward: destination ${name}: ${endpoint} is where Tailspan itself takes spans`)
    }
  }
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address)
  } catch {
    return []
  }
}

function isReached(host: string, address: string): boolean {
  if (host === address) return true
  if (!ANY.has(host))
    return LOOPBACK.test(host) && LOOPBACK.test(address) && host.includes(':') === address.includes(':')
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return LOOPBACK.test(address) || own.some((each) => each.address === address)
}
