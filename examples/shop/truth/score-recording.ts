import { analyzeRecording } from './analysis.ts'
import { type Tally } from './figures.ts'
import { type Recording } from './recording.ts'
import { score } from './score.ts'
import { readSpans } from './spans.ts'
import { readTruth } from './truth-files.ts'

/** Analyzes a recording and holds the answer against its truth. */
export async function scoreRecording(recording: Recording, without: readonly string[] = []): Promise<Tally> {
  const spans = await readSpans(recording.traceFiles)
  const truth = readTruth(recording.truthFiles, spans.baseNs)
  if (truth.size === 0) throw new Error(`${recording.folder}: there is no truth in it`)
  return score({ analysis: await analyzeRecording(recording, without), spans, truth })
}
