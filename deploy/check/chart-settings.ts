/** Prints the settings file that is in the ConfigMap of the manifests on standard input. */
import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'

interface Manifest {
  readonly kind: string
  readonly data?: Readonly<Record<string, string>>
}

const settings = parseAllDocuments(readFileSync(0, 'utf8'))
  .map((document) => document.toJS() as Manifest | null)
  .flatMap((manifest) => (manifest?.kind === 'ConfigMap' ? (manifest.data?.['tailspan.yaml'] ?? []) : []))
if (settings.length !== 1) throw new Error(`${settings.length} settings files among the manifests`)
process.stdout.write(settings[0] ?? '')
