import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { jsonSchema, referenceYaml } from '../../src/settings/describe.ts'
import { settingsSchema } from '../../src/settings/settings.ts'

const head = [
  'yaml-language-server: $schema=tailspan.schema.json',
  '',
  'Every setting of Tailspan with its default. A file of your own needs only what differs.',
  'Durations: 250ms, 8s, 15m, 1h. Sizes: 512KiB, 64MiB, 1GB. Values from the environment: ${env:NAME} or',
  '${env:NAME:-default}; a dollar sign is $$. `tailspan check-config FILE` tells every mistake at once.',
  '',
  'Written by `node test/generate-config.ts` from src/*/settings.ts: change it there.'
]

/** The generated files, by where they belong; in the format of the project. */
export async function configFiles(): Promise<Readonly<Record<string, string>>> {
  const folder = fileURLToPath(new URL('../../config/', import.meta.url))
  const texts = {
    [`${folder}tailspan.yaml`]: referenceYaml(settingsSchema, head),
    [`${folder}tailspan.schema.json`]: jsonSchema(settingsSchema)
  }
  const formatted: Record<string, string> = {}
  for (const [filepath, text] of Object.entries(texts)) {
    formatted[filepath] = await format(text, { ...(await resolveConfig(filepath)), filepath })
  }
  return formatted
}
