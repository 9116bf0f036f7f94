import { basename } from 'node:path'
import { Fault } from '../../runtime/fault.ts'
import { createByteSource, type ByteSource } from './byte-source.ts'
import { fileChunks } from './file-chunks.ts'
import { createJsonSplitter } from './json-splitter.ts'
import { type FileProblem, type Payload, type Signal } from './payload.ts'
import { looksLikeMessage, readMessage, readPrefixedMessages, signalOf } from './protobuf-messages.ts'

export interface OtlpSink {
  readonly payload: (payload: Payload) => void
  readonly problem: (problem: FileProblem) => void
  /** Bytes of the file read since the last call, as they lie on the disk. */
  readonly progress: (bytes: number) => void
}

/** Enough to tell the forms apart. */
const START_BYTES = 4096

/**
 * Reads one file of OTLP in bounded memory, whatever its name: JSON or protobuf, gzipped or not. Problems go to the sink, and
 * reading goes on behind them where the form allows.
 */
export async function readOtlpFile(path: string, sink: OtlpSink): Promise<void> {
  const chunks = fileChunks(path, sink.progress)
  const source = createByteSource(chunks)
  try {
    await readForm(source, path, sink)
  } catch (reason) {
    const readable = reason instanceof Fault ? reason.code === 'BAD_FILE' : isFileError(reason)
    if (!readable) throw reason
    sink.problem({ where: `byte ${source.offset()}`, message: (reason as Error).message })
  } finally {
    await chunks.return()
  }
}

async function readForm(source: ByteSource, path: string, sink: OtlpSink): Promise<void> {
  const start = await source.peek(START_BYTES)
  if (start.length === 0) return
  if (looksLikeJson(start)) {
    await readJson(source, sink)
    return
  }
  const take = (bytes: Uint8Array, offset: number): void => {
    const signal = signalOf(bytes) ?? signalByName(path)
    sink.payload({ signal, encoding: 'protobuf', bytes, where: `byte ${offset}` })
  }
  if (looksLikeMessage(start)) await readMessage(source, Infinity, take)
  else await readPrefixedMessages(source, { take, problem: sink.problem })
}

async function readJson(source: ByteSource, sink: OtlpSink): Promise<void> {
  const splitter = createJsonSplitter({
    document(bytes, signal, line) {
      if (signal === undefined) {
        sink.problem({ where: `line ${line}`, message: 'a JSON object without resourceSpans or resourceMetrics' })
        return
      }
      sink.payload({ signal, encoding: 'json', bytes, where: `line ${line}` })
    },
    problem: sink.problem
  })
  for (;;) {
    const chunk = await source.takeSome()
    if (chunk.length === 0) break
    splitter.push(chunk)
  }
  splitter.end()
}

/** JSON begins with a brace or bracket and has no control bytes but blanks; protobuf cannot do without them. */
function looksLikeJson(start: Uint8Array): boolean {
  const withoutMark = start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf ? start.subarray(3) : start
  const first = withoutMark.find((byte) => !isBlank(byte))
  if (first !== 0x7b && first !== 0x5b) return false
  return withoutMark.every((byte) => byte >= 0x20 || isBlank(byte))
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d || byte === 0x1e
}

/** For a protobuf message whose content does not tell. */
function signalByName(path: string): Signal {
  return /metric/i.test(basename(path)) ? 'metrics' : 'traces'
}

/** What the system or zlib says of a file, as opposed to a mistake of ours. */
function isFileError(reason: unknown): boolean {
  return typeof reason === 'object' && reason !== null && 'code' in reason && 'errno' in reason
}
