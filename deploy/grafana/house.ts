/** What all dashboards have in common: how they are found, filtered and left. */
/* eslint-disable @typescript-eslint/no-deprecated -- classic dashboards are what Grafana 10 to 13 all read (D66) */
import {
  ConstantVariableBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  CustomVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort
} from '@grafana/grafana-foundation-sdk/dashboard'
import { datasource, type PanelOf } from './panels.ts'

export interface Section {
  readonly title: string
  readonly panels: readonly PanelOf[]
}

export interface House {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly variables: readonly VariableName[]
  readonly sections: readonly Section[]
}

export type VariableName = 'service' | 'operation' | 'window'

/** Where Tailspan's page is, as the reader's browser reaches it. Change it in the dashboard's settings, or let Helm do so. */
const PAGE_URL = 'http://localhost:9464'

/** Links from rows of tables. Names of strangers are encoded before they are part of a URL. */
export const links = {
  operation: (service: string, operation: string) => ({
    title: 'This operation',
    url: `/d/tailspan-operation?\${__url_time_range}&var-service=${field(service)}&var-operation=${field(operation)}`
  }),
  service: (service: string) => ({
    title: 'This service',
    url: `/d/tailspan-service?\${__url_time_range}&var-service=${field(service)}`
  })
}

const field = (name: string): string => `\${__data.fields["${name}"]:percentencode}`

export type Dashboard = ReturnType<DashboardBuilder['build']>

export function build({ uid, title, description, variables, sections }: House): Dashboard {
  const empty = new DashboardBuilder(`Tailspan / ${title}`)
    .uid(uid)
    .description(description)
    .tags(['tailspan'])
    .timezone('browser')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .readonly()
    .withVariable(new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'))
  const withVariables = variables
    .reduce((so, name) => so.withVariable(variable(name)), empty)
    .withVariable(new ConstantVariableBuilder('page').label('Page').value(PAGE_URL))
    .link(otherDashboards())
    .link(page(variables))
  return sections.reduce(addSection, withVariables).build()
}

function addSection(to: DashboardBuilder, { title, panels }: Section): DashboardBuilder {
  return panels.reduce((so, panel) => so.withPanel(panel), to.withRow(new RowBuilder(title)))
}

function variable(name: VariableName): QueryVariableBuilder | CustomVariableBuilder {
  switch (name) {
    case 'service':
      return choice('service', 'Service', 'label_values(tail_requests_total, service_name)')
    case 'operation':
      return choice('operation', 'Operation', 'label_values(tail_requests_total{service_name="$service"}, operation)')
    case 'window':
      return new CustomVariableBuilder('window')
        .label('Slow requests of the last')
        .description(
          'How far back a moment of an attribution looks. Of 100 requests one is slow: short windows are lively and noisy.'
        )
        .values('5m,10m,30m,1h,6h')
        .current({ text: '10m', value: '10m', selected: true })
  }
}

function choice(name: string, label: string, query: string): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(datasource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
}

const otherDashboards = (): DashboardLinkBuilder =>
  new DashboardLinkBuilder('Tailspan')
    .type(DashboardLinkType.Dashboards)
    .tags(['tailspan'])
    .asDropdown(true)
    .keepTime(true)
    .includeVars(true)

function page(variables: readonly VariableName[]): DashboardLinkBuilder {
  const view = variables.includes('operation')
    ? '/#/operation?service=${service:percentencode}&operation=${operation:percentencode}'
    : '/'
  return new DashboardLinkBuilder('Page')
    .type(DashboardLinkType.Link)
    .icon('external link')
    .url(`\${page}${view}`)
    .targetBlank(true)
}
