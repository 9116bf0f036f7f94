import { acceptCounters } from '../../src/accept/counters.ts'
import { durabilityCounters } from '../../src/durability/counters.ts'
import { exposeCounters } from '../../src/expose/counters.ts'
import { createProcessMetrics } from '../../src/expose/process-metrics.ts'
import { series } from '../../src/expose/series.ts'
import { forwarderCounters, queueCounters } from '../../src/forward/counters.ts'
import { buildPipeline } from '../../src/pipeline.ts'
import { watchCounters } from '../../src/programs/serve/memory-watch.ts'
import { serveCounters } from '../../src/programs/serve/reload.ts'
import { createCounters } from '../../src/runtime/counters.ts'
import { loadSettings } from '../../src/settings/settings.ts'

/** What readers may ask for: a name as Prometheus stores it, its labels, and their values where these are a closed list. */
export interface Catalogued {
  readonly labels: ReadonlySet<string>
  readonly values: Readonly<Record<string, readonly string[]>>
}
export type SeriesCatalogue = ReadonlyMap<string, Catalogued>

/** Labels that Prometheus gives to every series. */
const scraperLabels = ['job', 'instance']

/** Every series that a running Tailspan exposes, from the tables that declare them. */
export async function seriesCatalogue(): Promise<SeriesCatalogue> {
  const catalogue = new Map<string, Catalogued>()
  const add = (
    { name, type, labels }: { name: string; type: string; labels: readonly string[] },
    values: Catalogued['values'] = {}
  ): void => {
    catalogue.set(name, { labels: new Set([...labels, ...scraperLabels]), values })
    if (type !== 'histogram') return
    catalogue.set(`${name}_bucket`, { labels: new Set([...labels, 'le', ...scraperLabels]), values })
    for (const part of ['sum', 'count']) {
      catalogue.set(`${name}_${part}`, { labels: new Set([...labels, ...scraperLabels]), values })
    }
  }
  for (const family of Object.values(series)) add(family, 'values' in family ? family.values : {})
  const pipeline = buildPipeline(loadSettings('', 'defaults', {}), {
    log: { error: () => undefined },
    nowMs: () => 0,
    seed: 1
  })
  const onDisk = queueCounters(['backend'])
  const service = [acceptCounters, durabilityCounters, exposeCounters, serveCounters, watchCounters]
  const tables = [...service, forwarderCounters, onDisk].map((table) => createCounters(table))
  for (const counters of [...pipeline.sources.counters, ...tables]) {
    const samples = counters.samples()
    for (const { name, label } of samples) {
      if (label === undefined) add({ name, type: 'counter', labels: [] })
      else {
        const same = samples.filter((sample) => sample.name === name)
        add({ name, type: 'counter', labels: [label] }, { [label]: same.map(({ labelValue }) => labelValue ?? '') })
      }
    }
  }
  for (const { family } of await createProcessMetrics()()) add(family)
  return catalogue
}
