/** A Collector configuration from standard input with ordinary exporters in place of those that balance load. */
import { readFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'

interface Exporter {
  readonly protocol: { readonly otlp: object }
}

const text = readFileSync(0, 'utf8').replaceAll('loadbalancing/', 'otlp/balanced-')
const config = parse(text) as { readonly exporters: Readonly<Record<string, object | Exporter>> }
const exporters = Object.entries(config.exporters).map(([name, exporter]) =>
  'protocol' in exporter ? [name, { endpoint: 'tailspan:4317', ...exporter.protocol.otlp }] : [name, exporter]
)
process.stdout.write(stringify({ ...config, exporters: Object.fromEntries(exporters) as unknown }))
