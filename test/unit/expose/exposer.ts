import { openToAll } from '../../../src/access/index.ts'
import { createCounters } from '../../../src/runtime/counters.ts'
import { createExposer, type Exposer, type ExposeSources, type ExposeTools } from '../../../src/expose/index.ts'
import { exposeSection, exposeSettings, type ExposeSettings } from '../../../src/expose/settings.ts'
import { type Turn } from '../../../src/expose/slice-stream.ts'
import { draftTables, type TableDraft } from '../../builders/tail-tables.ts'
import { textOf } from '../../builders/text-slices.ts'

export interface TestExposer {
  readonly exposer: Exposer
  readonly draft: TableDraft
  /** Moves time. */
  readonly clock: { nowMs: number }
  readonly logged: object[]
  readonly scrape: (accept?: string) => Promise<string>
}

export interface ExposerOptions {
  readonly draft?: TableDraft
  readonly settings?: Partial<ExposeSettings>
  readonly tools?: Partial<Pick<ExposeTools, 'guard' | 'tls'>>
  readonly sources?: Partial<ExposeSources>
  readonly turn?: Turn
}

export const OPENMETRICS = 'application/openmetrics-text; version=1.0.0'
export const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

/** An exposer over tables filled by hand, one hour after the start of time. */
export function testExposer(options: ExposerOptions = {}): TestExposer {
  const { draft = draftTables() } = options
  const clock = { nowMs: 3_600_000 }
  const logged: object[] = []
  const settings = { ...exposeSettings(exposeSection.parse({})), port: 0, ...options.settings }
  const tools = {
    strings: draft.strings,
    resources: draft.resources,
    nowMs: () => clock.nowMs,
    log: { error: (fields: object) => void logged.push(fields) },
    guard: openToAll,
    tls: undefined,
    ...options.tools
  }
  const sources: ExposeSources = {
    tables: draft.tables,
    counters: [],
    memory: () => ({}),
    pressure: () => ({ causes: [], memoryLimitBytes: 1024 }),
    clockOffsets: () => [],
    learned: () => ({}),
    history: () => undefined,
    trace: () => textOf(undefined),
    otlp: () => textOf(undefined),
    waterfall: () => textOf(undefined),
    claims: () => textOf(undefined),
    versionOf: () => undefined,
    operations: () => [],
    blame: () => [],
    budgets: () => ({ window_seconds: 600, budgets: [], states: [] }),
    boundaries: () => [],
    ready: () => true,
    version: '1.2.3',
    startedMs: 0,
    otlpPorts: () => ({ grpc: 4317, http: 4318 }),
    ...options.sources
  }
  const exposer = createExposer(settings, tools, sources, options.turn)
  return {
    exposer,
    draft,
    clock,
    logged,
    async scrape(accept = 'text/plain') {
      const answer = await exposer.app.inject({ url: '/metrics', headers: { accept } })
      return answer.payload
    }
  }
}

export const stageCounters = () =>
  createCounters({
    tail_spans_received_total: { help: 'Spans accepted.' },
    tail_spans_late_total: { help: 'Late spans.', label: 'result', values: ['joined', 'ignored'] }
  })
