import { boundary } from './boundary.ts'
import { health } from './health.ts'
import { build, type Dashboard } from './house.ts'
import { operation } from './operation.ts'
import { overview } from './overview.ts'
import { runtime } from './runtime.ts'
import { service } from './service.ts'

export { type Dashboard } from './house.ts'

/** Every dashboard, by the name of its file. */
export const dashboards: Readonly<Record<string, Dashboard>> = {
  overview: build(overview),
  operation: build(operation),
  service: build(service),
  boundary: build(boundary),
  runtime: build(runtime),
  health: build(health)
}

/** As it is committed. */
export const dashboardText = (dashboard: Dashboard): string => `${JSON.stringify(dashboard, null, 2)}\n`
