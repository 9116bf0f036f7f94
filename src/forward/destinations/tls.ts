import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { Fault } from '../../runtime/fault.ts'
import { type DestinationSettings } from '../settings.ts'
import { type DestinationTools } from './destination.ts'
import { FILES_EVERY_MS } from './headers.ts'

export interface TlsOptions extends SecureContextOptions {
  readonly servername?: string
}

/** For connecting to an https:// endpoint: the same object until one of its files has changed. */
export type ReadTls = () => TlsOptions

/** Throws BAD_SETTINGS when a file cannot be used at the start. Later the last good ones stay. */
export function createTls(
  { name, tls }: Pick<DestinationSettings, 'name' | 'tls'>,
  { nowMs, log }: Pick<DestinationTools, 'nowMs' | 'log'>
): ReadTls {
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined)) {
    throw new Fault('BAD_SETTINGS', `forward: destination ${name}: tls: cert_file and key_file go together`)
  }
  const hasFiles = tls.caFile !== undefined || tls.certFile !== undefined
  let options: TlsOptions
  let problem = ''
  let lookedMs = nowMs()
  try {
    options = loaded(tls)
  } catch (reason) {
    throw new Fault('BAD_SETTINGS', `forward: destination ${name}: tls: ${Fault.from(reason).message}`)
  }

  function look(): void {
    try {
      const found = loaded(tls)
      problem = ''
      if (isDeepStrictEqual(found, options)) return
      options = found
      log.info({ destination: name }, 'files of a destination had changed; new connections use them')
    } catch (reason) {
      const { message } = Fault.from(reason)
      if (message === problem) return
      problem = message
      log.warn({ destination: name, problem }, 'files of a destination cannot be used; the old ones stay in force')
    }
  }

  return () => {
    const now = nowMs()
    if (hasFiles && Math.abs(now - lookedMs) >= FILES_EVERY_MS) {
      lookedMs = now
      look()
    }
    return options
  }
}

/** Throws when the files are not what they should be, or do not fit together. */
function loaded({ caFile, certFile, keyFile, serverName }: DestinationSettings['tls']): TlsOptions {
  const options = {
    minVersion: 'TLSv1.2',
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(certFile !== undefined && { cert: readFileSync(certFile) }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
    ...(serverName !== undefined && { servername: serverName })
  } as const
  if (options.ca !== undefined) new X509Certificate(options.ca)
  createSecureContext(options)
  return options
}
