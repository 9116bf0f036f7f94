import { add, noTimes, type PhaseTimes, total } from './phase-times.ts'
import { pathWithin, piecesOf, type Section } from './path.ts'
import { type Span, spanKey } from './spans.ts'
import { type SpanTruth } from './truth-files.ts'

/** What time on a path really went to. `times` and `unknownNs` together are as long as the path. */
export interface TrueTimes {
  readonly times: PhaseTimes
  /** Time of spans whose process told no truth. */
  unknownNs: number
}

export interface TrueTimesReader {
  /** A request: its entry span and what it waited for in its process. */
  readonly ofRequest: (entry: Span) => TrueTimes
  /** Sections of a path, all in one process and on its clock. */
  readonly ofSections: (sections: readonly Section[]) => TrueTimes
}

interface Window {
  readonly fromNs: number
  readonly toNs: number
}

const length = (windows: readonly Window[]): number => windows.reduce((ns, { fromNs, toNs }) => ns + toNs - fromNs, 0)

export function createTrueTimes(
  truth: ReadonlyMap<string, SpanTruth>,
  isEntry: (span: Span) => boolean
): TrueTimesReader {
  function ofSections(sections: readonly Section[]): TrueTimes {
    const result: TrueTimes = { times: noTimes(), unknownNs: 0 }
    const own = new Map<Span, Window[]>()
    for (const section of sections) {
      for (const { cover, fromNs, toNs } of piecesOf(section, isEntry)) {
        if (cover === undefined) {
          const windows = own.get(section.span)
          if (windows === undefined) own.set(section.span, [{ fromNs, toNs }])
          else windows.push({ fromNs, toNs })
          continue
        }
        // A child off the path filled this time: it went to what the child did.
        const below = ofSections(pathWithin(cover, { fromNs, toNs }, isEntry))
        add(result.times, below.times)
        result.unknownNs += below.unknownNs
      }
    }
    for (const [span, windows] of own) bookOwn(result, truth.get(spanKey(span.traceId, span.spanId)), windows)
    return result
  }

  return {
    ofSections,
    ofRequest: (entry) => ofSections(pathWithin(entry, { fromNs: entry.startNs, toNs: entry.endNs }, isEntry))
  }
}

/** Books the part of a span's own time that lies within windows: by place where truth tells it, else in proportion. */
function bookOwn(to: TrueTimes, truth: SpanTruth | undefined, windows: readonly Window[]): void {
  const ns = length(windows)
  const selfNs = truth === undefined ? 0 : total(truth.self)
  if (truth === undefined || selfNs === 0) {
    to.unknownNs += ns
    return
  }
  if (truth.placed.length === 0 || ns >= selfNs) {
    add(to.times, truth.self, ns / selfNs)
    return
  }
  const inside = noTimes()
  const elsewhere = { ...truth.self }
  for (const { phase, fromNs, toNs } of truth.placed) {
    elsewhere[phase] = Math.max(0, elsewhere[phase] - (toNs - fromNs))
    for (const window of windows) {
      inside[phase] += Math.max(0, Math.min(toNs, window.toNs) - Math.max(fromNs, window.fromNs))
    }
  }
  const placedNs = total(inside)
  const floatingNs = total(elsewhere)
  const restNs = Math.max(0, ns - placedNs)
  if (floatingNs > 0) {
    add(to.times, inside, placedNs > ns ? ns / placedNs : 1)
    add(to.times, elsewhere, restNs / floatingNs)
  } else if (placedNs > 0) add(to.times, inside, ns / placedNs)
  else to.unknownNs += ns
}
