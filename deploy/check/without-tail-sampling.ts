/** A Collector configuration from standard input without its tail sampler. */
import { readFileSync } from 'node:fs'
import { parse, stringify } from 'yaml'

interface Configuration {
  readonly processors: Readonly<Record<string, unknown>>
  readonly service: { readonly pipelines: Readonly<Record<string, { readonly processors: readonly string[] }>> }
}

const SAMPLER = 'tail_sampling'
const { processors, service, ...others } = parse(readFileSync(0, 'utf8')) as Configuration
const { [SAMPLER]: sampler, ...kept } = processors
if (sampler === undefined) throw new Error(`no ${SAMPLER} to leave out`)
const pipelines = Object.entries(service.pipelines).map(([name, pipeline]) => [
  name,
  { ...pipeline, processors: pipeline.processors.filter((processor) => processor !== SAMPLER) }
])
process.stdout.write(
  stringify({
    ...others,
    processors: kept,
    service: { ...service, pipelines: Object.fromEntries(pipelines) as unknown }
  })
)
