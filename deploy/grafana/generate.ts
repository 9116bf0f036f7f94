/** `node deploy/grafana/generate.ts`: writes dashboards/*.json, which Grafana reads. A test holds them to this source. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dashboards, dashboardText } from './index.ts'

const folder = new URL('dashboards/', import.meta.url)
mkdirSync(folder, { recursive: true })
for (const [name, dashboard] of Object.entries(dashboards)) {
  writeFileSync(new URL(`${name}.json`, folder), dashboardText(dashboard))
}
