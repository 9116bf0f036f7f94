import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from '@jest/globals'
import type { Analysis } from '../builders/analyze-contract.ts'
import { tailspan } from '../builders/command.ts'

interface Case {
  readonly case: string
  readonly file: string
  readonly tolerance_ns?: string
  readonly traces: readonly {
    readonly trace_id: string
    readonly root: { readonly span_id: string; readonly duration_ns: string }
    readonly critical_path?: readonly {
      readonly span_id: string
      readonly section_start_ns: string
      readonly section_end_ns: string
    }[]
    readonly exclusive_ns_by_operation?: readonly {
      readonly service: string
      readonly operation: string
      readonly exclusive_ns: string
    }[]
  }[]
}

const shared = new URL('../../../shared/critical-path/', import.meta.url)
const isThere = existsSync(shared)
if (!isThere)
  console.warn('The cases of Jaeger UI and CRISP are skipped: ../shared/critical-path is not beside this checkout.')
const cases = isThere ? [...read('jaeger'), ...read('crisp')] : []
const documents = new Map<string, Analysis['traces'][number]>()

beforeAll(async () => {
  if (!isThere) return
  const files = cases.map(({ file }) => fileURLToPath(new URL(file, shared)))
  const { stdout } = await tailspan(['analyze', '--json', ...files])
  for (const trace of (JSON.parse(stdout) as Analysis).traces) documents.set(trace.trace_id, trace)
}, 30_000)

function read(project: string): Case[] {
  return JSON.parse(readFileSync(new URL(`${project}/expected.json`, shared), 'utf8')) as Case[]
}

const testIfThere = isThere
  ? test.each(cases.map((one) => [one.case, one] as const))
  : test.skip.each([['all', undefined]])

testIfThere('%s: the critical path is what its project expects', (_name, given) => {
  for (const expected of given?.traces ?? []) {
    const trace = documents.get(expected.trace_id)
    expect(trace?.root).toMatchObject({
      span_id: expected.root.span_id,
      duration_ns: Number(expected.root.duration_ns)
    })
    const path = trace?.critical_path ?? []
    if (expected.critical_path !== undefined) {
      // Jaeger lists sections from the end backwards.
      expect(path).toEqual(
        expected.critical_path.toReversed().map((section) => ({
          span_id: section.span_id,
          start_unix_nano: section.section_start_ns,
          end_unix_nano: section.section_end_ns
        }))
      )
    }
    for (const { service, operation, exclusive_ns } of expected.exclusive_ns_by_operation ?? []) {
      const spans = trace?.spans.filter((span) => span.service === service && span.name === operation) ?? []
      const own = new Set(spans.map((span) => span.span_id))
      const sections = path.filter((section) => own.has(section.span_id))
      const ns = sections.reduce(
        (sum, section) => sum + Number(BigInt(section.end_unix_nano) - BigInt(section.start_unix_nano)),
        0
      )
      expect(Math.abs(ns - Number(exclusive_ns))).toBeLessThanOrEqual(Number(given?.tolerance_ns ?? 0))
    }
  }
})
