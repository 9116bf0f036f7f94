import { type Counters } from '../runtime/counters.ts'
import { Fault } from '../runtime/fault.ts'
import { createClientLimits } from './client-limits.ts'
import { createAccessCounters } from './counters.ts'
import { readCredentials, type Credential } from './credentials.ts'
import { createGuard, openToAll, type Guard } from './guard.ts'
import { type AccessSettings, type TlsSettings } from './settings.ts'
import { createTls, type TlsFront } from './tls.ts'
import { createWatchedFiles, type WatchedFilesOptions } from './watched-files.ts'

export { createClientLimits, type ClientLimits } from './client-limits.ts'
export { challenges, isDenied, openToAll, type Decision, type Denied, type Guard } from './guard.ts'
export { peerOf, type Peer } from './peer.ts'
export { type Right } from './settings.ts'
export { hashPassword, hashToken } from './secrets.ts'
export { type TlsFront } from './tls.ts'

/** Who may come in, and by which door: certificates and credentials, from files that may change at any time. */
export interface Access {
  readonly guard: Guard
  /** Undefined = in the clear. */
  readonly otlp: TlsFront | undefined
  readonly metrics: TlsFront | undefined
  /** Looks at the files now; told by SIGHUP. */
  readonly look: () => Promise<void>
  /** Looks at them now and then, until `close`. */
  readonly start: () => void
  readonly close: () => void
  readonly counters: Counters
}

export interface AccessOptions {
  readonly access: AccessSettings
  readonly otlpTls: TlsSettings | undefined
  readonly metricsTls: TlsSettings | undefined
}

/** Reads all files once. Throws BAD_SETTINGS. */
export async function openAccess(options: AccessOptions, log: WatchedFilesOptions['log']): Promise<Access> {
  const { access, otlpTls, metricsTls } = options
  const tools = { log, counters: createAccessCounters() }
  const otlp = otlpTls && createTls(otlpTls, tools)
  const metrics = metricsTls && createTls(metricsTls, tools)
  const known = access.files.map((): readonly Credential[] => [])
  let credentials: readonly Credential[] = []
  const credentialFiles = access.files.map(({ file, may }, index) =>
    createWatchedFiles({
      ...tools,
      paths: [file],
      take([content]) {
        known[index] = readCredentials(String(content), file, may)
        credentials = known.flat()
      }
    })
  )
  const tlsFiles = [otlp, metrics].flatMap((tls) => (tls === undefined ? [] : [tls.files]))
  const watched = [...tlsFiles, ...credentialFiles]
  const loaded = await Promise.allSettled(watched.map(({ load }) => load()))
  const problems = loaded.flatMap((load) => (load.status === 'rejected' ? [Fault.from(load.reason).message] : []))
  if (problems.length > 0) throw new Fault('BAD_SETTINGS', problems.join('\n'))
  const failures = createClientLimits(access.failureLimits, () => {
    tools.counters.add('tail_access_failures_overflow_total')
  })
  const guess = (network: string): number | undefined => failures.take(network, performance.now())
  const asksNobody = access.files.length + access.certificates.length === 0
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<unknown> | undefined

  /** One look at a time: while a slow disk is at it, another would only wait beside it. */
  async function look(): Promise<void> {
    looking ??= Promise.all(watched.map((files) => files.look())).finally(() => {
      looking = undefined
    })
    await looking
  }

  return {
    guard: asksNobody ? openToAll : createGuard(access, { credentials: () => credentials, guess }),
    otlp: otlp?.front,
    metrics: metrics?.front,
    look,
    start() {
      if (watched.length > 0) timer = setInterval(() => void look(), access.filesIntervalMs).unref()
    },
    close() {
      clearInterval(timer)
    },
    counters: tools.counters
  }
}
