import {
  createExplainer,
  type Explainer,
  explainSection,
  explainSettings,
  type ExplainSettings
} from '../../../src/explain/index.ts'
import { type Resources } from '../../../src/model/spans.ts'
import { createStrings, type Strings } from '../../../src/runtime/strings.ts'

export const MINUTE_MS = 60_000
/** A moment at the start of a slice, as the clock of most tests. */
export const START_MS = 1_700_000_040_000

const resources: Resources = {
  rows: 2,
  service: new Uint32Array(2),
  process: new Uint32Array(2),
  host: new Uint32Array(2),
  version: new Uint32Array(2),
  language: new Uint8Array(2)
}

export function testStrings(): Strings {
  return createStrings({ stringsMax: 200_000, bytesMax: 1 << 24, stringBytesMax: 256, seed: 1 })
}

export function testSettings(given: Partial<ExplainSettings> = {}): ExplainSettings {
  return { ...explainSettings(explainSection.parse({})), ...given }
}

export function testExplainer(given: Partial<ExplainSettings> = {}, strings: Strings = testStrings()): Explainer {
  return createExplainer(testSettings(given), { strings, resources })
}

/** Numbers in [0, 1) that a seed repeats. */
export function random(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
