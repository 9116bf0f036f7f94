import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type accessCounters, type FileReload, type Handshake } from '../../src/access/counters.ts'
import { openAccess, type Access } from '../../src/access/index.ts'
import { accessSection, accessSettings, tlsSection, tlsSettings } from '../../src/access/settings.ts'
import { type Identity } from './certificates.ts'

/** A folder of secrets that is gone after the test. */
export interface SecretFolder {
  readonly path: (name: string) => string
  readonly write: (name: string, text: string) => string
  readonly writeIdentity: (identity: Identity) => void
  readonly remove: () => void
}

export function secretFolder(): SecretFolder {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-secrets-'))
  const path = (name: string): string => join(folder, name)
  const write = (name: string, text: string): string => {
    writeFileSync(path(name), text)
    return path(name)
  }
  return {
    path,
    write,
    writeIdentity({ cert, key }) {
      write('tls.crt', cert)
      write('tls.key', key)
    },
    remove() {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

export interface AccessUnderTest extends Access {
  readonly logged: { readonly level: 'info' | 'error'; readonly fields: object; readonly message: string }[]
  readonly handshakes: (result: keyof typeof Handshake) => number
  readonly reloads: (result: keyof typeof FileReload) => number
}

/** Settings as a person writes them; `tls` is that of the OTLP ports. */
export async function accessUnderTest(written: {
  readonly access?: Parameters<typeof accessSection.parse>[0]
  readonly tls?: Parameters<typeof tlsSection.parse>[0]
  readonly metricsTls?: Parameters<typeof tlsSection.parse>[0]
}): Promise<AccessUnderTest> {
  const logged: AccessUnderTest['logged'] = []
  const say =
    (level: 'info' | 'error') =>
    (fields: object, message: string): void =>
      void logged.push({ level, fields, message })
  const settings = {
    access: accessSettings(accessSection.parse(written.access ?? {})),
    otlpTls: tlsSettings(tlsSection.parse(written.tls ?? {})),
    metricsTls: tlsSettings(tlsSection.parse(written.metricsTls ?? {}))
  }
  const access = await openAccess(settings, { info: say('info'), error: say('error') })
  const count = (name: keyof typeof accessCounters, labelValue: string): number =>
    access.counters
      .samples()
      .filter((sample) => sample.name === name && sample.labelValue === labelValue)
      .reduce((sum, { value }) => sum + value, 0)
  return {
    ...access,
    logged,
    handshakes: (result) => count('tail_tls_handshakes_total', result),
    reloads: (result) => count('tail_access_reloads_total', result)
  }
}
