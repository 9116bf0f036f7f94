import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContextOptions, type Server, type TlsOptions, type TLSSocket } from 'node:tls'
import { Fault } from '../runtime/fault.ts'
import { Handshake, type AccessCounters } from './counters.ts'
import { type TlsSettings } from './settings.ts'
import { createWatchedFiles, type WatchedFiles, type WatchedFilesOptions } from './watched-files.ts'

/** One certificate and the servers that show it. */
export interface TlsFront {
  /** For a server that is about to be made. */
  readonly options: () => TlsOptions
  /** Counts a server's handshakes and gives it each new certificate; connections that are open keep the old one. */
  readonly attach: (server: Server) => void
}

export interface WatchedTls {
  readonly front: TlsFront
  readonly files: WatchedFiles
}

export interface TlsTools {
  readonly counters: AccessCounters
  readonly log: WatchedFilesOptions['log']
}

export function createTls(settings: TlsSettings, { counters, log }: TlsTools): WatchedTls {
  const { certFile, clientCaFile, clientCertificate, minVersion } = settings
  const servers = new Set<Server>()
  const named = namedFiles(settings)
  let material: SecureContextOptions = {}

  const files = createWatchedFiles({
    paths: named.map(({ file }) => file),
    counters,
    log,
    take(contents) {
      const read: Material = Object.fromEntries(named.map(({ name }, at) => [name, contents[at]]))
      const { passphrase, ...rest } = read
      const wanted = { ...rest, ...(passphrase !== undefined && { passphrase: firstLine(passphrase) }), minVersion }
      checkMaterial(wanted, named)
      material = wanted
      for (const server of servers) server.setSecureContext(material)
      const { subject, validTo } = new X509Certificate(read.cert as Buffer)
      log.info({ subject, validTo, file: certFile }, 'certificate in force')
    }
  })

  return {
    files,
    front: {
      options: () => ({
        ...material,
        requestCert: clientCaFile !== undefined,
        rejectUnauthorized: clientCertificate === 'required'
      }),
      attach(server) {
        servers.add(server)
        server.once('close', () => servers.delete(server))
        server.on('secureConnection', () => {
          counters.add('tail_tls_handshakes_total', 1, Handshake.ok)
        })
        server.on('tlsClientError', (error, socket) => {
          counters.add('tail_tls_handshakes_total', 1, endOf(error, socket))
          // Node tells of a handshake that took too long and leaves the connection to us.
          socket.destroy()
        })
      }
    }
  }
}

/** In the order in which each needs those before it. */
const parts = ['cert', 'passphrase', 'key', 'ca', 'crl'] as const
type Material = Partial<Record<(typeof parts)[number], Buffer>>

interface NamedFile {
  readonly name: (typeof parts)[number]
  readonly file: string
}

function namedFiles(settings: TlsSettings): NamedFile[] {
  const { certFile, keyPassphraseFile, keyFile, clientCaFile, clientCrlFile } = settings
  const files = { cert: certFile, passphrase: keyPassphraseFile, key: keyFile, ca: clientCaFile, crl: clientCrlFile }
  return parts.flatMap((name) => {
    const file = files[name]
    return file === undefined ? [] : [{ name, file }]
  })
}

/** An editor ends a file with a newline that nobody means. */
const firstLine = (text: Buffer): string => text.toString().split(/\r?\n/, 1)[0] ?? ''

/** Whether the parts are what they should be and fit together, said by file. */
function checkMaterial({ cert, key, passphrase, ca, crl }: SecureContextOptions, named: readonly NamedFile[]): void {
  const checks: Readonly<Record<NamedFile['name'], () => unknown>> = {
    cert: () => createSecureContext({ cert }),
    passphrase: () => undefined,
    key: () => createSecureContext({ cert, key, passphrase }),
    ca: () => new X509Certificate(ca as Buffer),
    crl: () => createSecureContext({ crl })
  }
  for (const { name, file } of named) {
    try {
      checks[name]()
    } catch (reason) {
      throw new Fault('BAD_SETTINGS', `${file}: ${Fault.from(reason).message}`, { cause: reason })
    }
  }
}

function endOf(error: NodeJS.ErrnoException, socket: TLSSocket): number {
  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return Handshake.timeout
  // Set when a certificate was shown and did not hold.
  const refused: unknown = socket.authorizationError
  const isRefused = refused !== undefined && refused !== null
  const isMissing = error.code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'
  return isRefused || isMissing ? Handshake.client_certificate : Handshake.failed
}
