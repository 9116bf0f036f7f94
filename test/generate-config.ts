/**
 * Writes config/tailspan.yaml and config/tailspan.schema.json anew from the schemas: `node test/generate-config.ts`.
 * test/unit/settings/describe.test.ts fails while they differ.
 */
import { writeFileSync } from 'node:fs'
import { configFiles } from './builders/config-files.ts'

for (const [path, text] of Object.entries(await configFiles())) writeFileSync(path, text)
