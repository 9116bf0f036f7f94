import { type Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { type Dataquery } from '@grafana/grafana-foundation-sdk/prometheus'
import { type Dashboard } from '../../deploy/grafana/index.ts'

export interface DashboardQuery {
  /** Dashboard and panel, for people. */
  readonly panel: string
  readonly refId: string
  readonly expr: string
  /** Labels that its legend shows. */
  readonly labels: readonly string[]
  /** Labels that the panel shows as columns, from whichever of its queries. */
  readonly columns: readonly string[]
  readonly exemplars: boolean
}

/** The panels of a dashboard, without the rows that part them. */
export function panelsOf({ panels = [] }: Dashboard): Panel[] {
  return panels.filter((panel): panel is Panel => panel.type !== 'row')
}

/** What the panels ask Prometheus, one after the other. */
export function queriesOf(name: string, dashboard: Dashboard): DashboardQuery[] {
  return panelsOf(dashboard).flatMap((panel) =>
    ((panel.targets ?? []) as Dataquery[]).map(({ refId = '', expr, legendFormat = '', exemplar }) => ({
      panel: `${name}/${panel.title ?? ''}`,
      refId,
      expr,
      labels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? ''),
      columns: columnsOf(panel),
      exemplars: exemplar === true
    }))
  )
}

function columnsOf({ transformations = [] }: Panel): string[] {
  const organize = transformations.find(({ id }) => id === 'organize')?.options as { indexByName?: object } | undefined
  return Object.keys(organize?.indexByName ?? {}).filter((column) => !column.startsWith('Value'))
}
