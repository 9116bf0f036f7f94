import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { type TailSummary } from '../../../src/explain/index.ts'
import { analyze } from '../../../src/programs/analyze.ts'
import { type PhaseTimes } from './phase-times.ts'
import { type Recording } from './recording.ts'

/** What we read of `analyze --json`. */
export interface Analysis extends TailSummary {
  readonly traces: readonly AnalyzedTrace[]
}

export interface AnalyzedTrace {
  readonly trace_id: string
  readonly root: { readonly span_id: string } | null
  readonly critical_path: readonly {
    readonly span_id: string
    readonly start_unix_nano: string
    readonly end_unix_nano: string
  }[]
  readonly blame: readonly { readonly service: string; readonly phase: keyof PhaseTimes; readonly ns: number }[]
  readonly requests: readonly AnalyzedRequest[]
}

export interface AnalyzedRequest {
  readonly span_id: string
  readonly service: string
  readonly operation: string
  readonly outcome: string
  readonly duration_ns: number
  /** `null` while its operation has no thresholds. */
  readonly band: string | null
  readonly phases: Readonly<PhaseTimes>
  readonly grades: Readonly<Partial<Record<keyof PhaseTimes, { readonly measured: number }>>>
}

/** Runs Tailspan's own engine on a recording, if asked without some of its inference rules. */
export async function analyzeRecording(
  recording: Pick<Recording, 'folder' | 'traceFiles' | 'metricFiles'>,
  without: readonly string[] = []
): Promise<Analysis> {
  const folder = mkdtempSync(join(tmpdir(), 'tailspan-truth-'))
  try {
    const config = join(folder, 'settings.yaml')
    // JSON is YAML. An engine that does not know the setting refuses it, rather than ignore it.
    if (without.length > 0) writeFileSync(config, JSON.stringify({ decompose: { inference: { without } } }))
    const terminal = new PassThrough({ encoding: 'utf8' })
    const parts: string[] = []
    const code = await analyze({
      files: [...recording.traceFiles, ...recording.metricFiles],
      json: true,
      ...(without.length > 0 ? { config } : {}),
      env: {},
      terminal,
      output: { write: (text) => parts.push(text), flush: () => undefined }
    })
    const said = (terminal.read() as string | null) ?? ''
    if (code !== 0) throw new Error(`${recording.folder}: analyze ended with ${code}: ${said}`)
    return JSON.parse(parts.join('')) as Analysis
  } finally {
    rmSync(folder, { recursive: true })
  }
}
