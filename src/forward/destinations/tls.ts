import { readFileSync } from 'node:fs'
import { type SecureContextOptions } from 'node:tls'
import { Fault } from '../../runtime/fault.ts'
import { type DestinationSettings } from '../settings.ts'

export interface TlsOptions extends SecureContextOptions {
  readonly servername?: string
}

/** For connecting to https:// endpoints. Throws BAD_SETTINGS. */
export function tlsOptions({ name, tls }: Pick<DestinationSettings, 'name' | 'tls'>): TlsOptions {
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw new Fault('BAD_SETTINGS', `forward: destination ${name}: tls: cert_file and key_file go together`)
  }
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file)
    } catch (reason) {
      throw new Fault('BAD_SETTINGS', `forward: destination ${name}: tls: ${Fault.from(reason).message}`)
    }
  }
  return {
    minVersion: 'TLSv1.2',
    ...(tls.caFile !== undefined && { ca: read(tls.caFile) }),
    ...(tls.certFile !== undefined && { cert: read(tls.certFile) }),
    ...(tls.keyFile !== undefined && { key: read(tls.keyFile) }),
    ...(tls.serverName !== undefined && { servername: tls.serverName })
  }
}
