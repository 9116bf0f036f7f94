/** The house style of every panel. None can be made without a title, a description and a unit. */
import { type Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  AxisPlacement,
  BigValueGraphMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder
} from '@grafana/grafana-foundation-sdk/common'
import {
  DashboardLinkBuilder,
  type DynamicConfigValue,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode
} from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as BarChart } from '@grafana/grafana-foundation-sdk/barchart'
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as Timeseries } from '@grafana/grafana-foundation-sdk/timeseries'
import { type PhaseName, phases } from '../../src/model/phases.ts'

export type PanelOf = Builder<Panel>

/** What a reader must be told, and how large the panel is in Grafana's grid of 24 columns. */
export interface About {
  readonly title: string
  readonly description: string
  readonly unit: Unit
  readonly width: number
  readonly height?: number
}

/** Grafana's names of the units in use. */
export type Unit = 's' | 'percentunit' | 'reqps' | 'cps' | 'ops' | 'bytes' | 'Bps' | 'short' | 'none'

export interface Query {
  readonly expr: string
  /** Of each line; of a table's value, its column. */
  readonly legend: string
  readonly exemplars?: true
}

export const datasource = { type: 'prometheus', uid: '${datasource}' } as const
const STAT_HEIGHT = 4
const HEIGHT = 9

/** Hues of the page (src/expose/page/colours.css), the dark ones: Grafana is dark unless told otherwise, and they hold on light. */
export const phaseColours: Readonly<Record<PhaseName, string>> = {
  queue_wait: '#f89a1c',
  scheduling: '#e75427',
  gc: '#d696db',
  allocator: '#ecd53a',
  processing: '#3581d3',
  downstream: '#a2e0ff',
  network: '#4cc088',
  unattributed: '#8f8d90'
}

interface Styled {
  title(title: string): this
  description(description: string): this
  datasource(ref: { type: string; uid: string }): this
  unit(unit: string): this
  span(columns: number): this
  height(rows: number): this
}

function styled<P extends Styled>(panel: P, { title, description, unit, width, height = HEIGHT }: About): P {
  return panel.title(title).description(description).datasource(datasource).unit(unit).span(width).height(height)
}

const refId = (index: number): string => String.fromCharCode('A'.charCodeAt(0) + index)

function query({ expr, legend, exemplars }: Query, index: number): DataqueryBuilder {
  const builder = new DataqueryBuilder().refId(refId(index)).datasource(datasource).expr(expr).legendFormat(legend)
  return exemplars === undefined ? builder : builder.exemplar(true)
}

const rangeQueries = (queries: readonly Query[]): DataqueryBuilder[] =>
  queries.map((one, i) => query(one, i).range().format(PromQueryFormat.TimeSeries))
const instantQueries = (queries: readonly Query[], format: PromQueryFormat): DataqueryBuilder[] =>
  queries.map((one, i) => query(one, i).instant().format(format))

const legendTable = (): VizLegendOptionsBuilder =>
  new VizLegendOptionsBuilder()
    .displayMode(LegendDisplayMode.Table)
    .placement(LegendPlacement.Bottom)
    .showLegend(true)
    .calcs(['mean', 'lastNotNull'])

function timeseries(about: About, queries: readonly Query[]): Timeseries {
  return styled(new Timeseries(), about)
    .targets(rangeQueries(queries))
    .min(0)
    .legend(legendTable())
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .showPoints(VisibilityMode.Never)
}

/** Lines over time. */
export function lines(about: About, ...queries: readonly Query[]): Timeseries {
  return timeseries(about, queries).lineWidth(2).fillOpacity(0)
}

/** Parts of a whole over time. */
export function stack(about: About, ...queries: readonly Query[]): Timeseries {
  const stacking = new StackingConfigBuilder().mode(StackingMode.Normal)
  return timeseries(about, queries).stacking(stacking).fillOpacity(70).lineWidth(0)
}

const fixedColour = (colour: string): DynamicConfigValue[] => [
  { id: 'color', value: { mode: 'fixed', fixedColor: colour } }
]

/** A stack whose legend is the phase: each in its colour. */
export function phaseStack(about: About, ...queries: readonly Query[]): Timeseries {
  return phases.reduce(
    (panel, phase) => panel.overrideByName(phase, fixedColour(phaseColours[phase])),
    stack(about, ...queries)
  )
}

/** One number, as of now. */
export function stat(about: Omit<About, 'height'>, one: Query): Stat {
  return styled(new Stat(), { ...about, height: STAT_HEIGHT })
    .targets(instantQueries([one], PromQueryFormat.TimeSeries))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .graphMode(BigValueGraphMode.None)
    .thresholds(plain())
}

/** No colour claims that a number is good or bad. */
const plain = (): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'text' }])

/** A column of a table: a label as it is called for people, or a query's value with its unit. */
export type Column =
  | { readonly label: string; readonly name: string; readonly link?: { readonly title: string; readonly url: string } }
  | { readonly expr: string; readonly name: string; readonly unit: Unit }

/** One row for each set of the labels, one column for each query; sorted by the value column `sortBy`. */
export function table(about: About, sortBy: string, columns: readonly Column[]): Table {
  const values = columns.filter((column) => 'expr' in column)
  const field = (column: Column): string =>
    'label' in column ? column.label : values.length === 1 ? 'Value' : `Value #${refId(values.indexOf(column))}`
  const panel = styled(new Table(), about)
    .targets(
      instantQueries(
        values.map(({ expr, name }) => ({ expr, legend: name })),
        PromQueryFormat.Table
      )
    )
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(columns.map((column, i) => [field(column), i])),
        renameByName: Object.fromEntries(columns.map((column) => [field(column), column.name]))
      }
    })
    .withTransformation({ id: 'sortBy', options: { sort: [{ field: sortBy, desc: true }] } })
    .thresholds(plain())
    .filterable(true)
  return columns.reduce((so, column) => so.overrideByName(column.name, columnStyle(column)), panel)
}

function columnStyle(column: Column): DynamicConfigValue[] {
  if ('unit' in column) return [{ id: 'unit', value: column.unit }]
  if (column.link === undefined) return []
  return [{ id: 'links', value: [new DashboardLinkBuilder(column.link.title).url(column.link.url).build()] }]
}

/** Bars one below the other, each from its floor to floor plus length. */
export function waterfall(about: About, floor: string, length: string): BarChart {
  const queries = [
    { expr: floor, legend: 'begins at' },
    { expr: length, legend: 'lasts' }
  ]
  return styled(new BarChart(), about)
    .targets(instantQueries(queries, PromQueryFormat.Table))
    .withTransformation({ id: 'merge', options: {} })
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: { step: 0, 'Value #A': 1, 'Value #B': 2 },
        renameByName: { 'Value #A': 'begins at', 'Value #B': 'lasts' }
      }
    })
    .withTransformation({ id: 'sortBy', options: { sort: [{ field: 'step', desc: false }] } })
    .xField('step')
    .orientation(VizOrientation.Horizontal)
    .stacking(StackingMode.Normal)
    .showValue(VisibilityMode.Never)
    .axisPlacement(AxisPlacement.Auto)
    .fillOpacity(80)
    .lineWidth(0)
    .legend(new VizLegendOptionsBuilder().showLegend(false).displayMode(LegendDisplayMode.Hidden))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .overrideByName('begins at', fixedColour('transparent'))
    .overrideByName('lasts', fixedColour(phaseColours.queue_wait))
}
