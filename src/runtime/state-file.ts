import { mkdir, open, readFile, rename, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { Fault } from './fault.ts'

/**
 * What a process wants to know again after a restart, in one file:
 *
 *     "TAILSPAN" | version of the layout | chunks: length of the name, length of the bytes, name, bytes | 0, 0, CRC-32 of all before
 *
 * Whole numbers are 32 bits, lowest byte first.
 */
export interface StateChunk {
  readonly name: string
  readonly bytes: Uint8Array
}

const MAGIC = Buffer.from('TAILSPAN')
const LAYOUT = 1
const HEADER_BYTES = MAGIC.length + 4
const CHUNK_HEADER_BYTES = 8
const FOOTER_BYTES = CHUNK_HEADER_BYTES + 4

/**
 * Replaces the file by these chunks, in a file beside it that then takes its name: after a crash there is the old one or
 * the new one. Chunks are made and written one by one, so that other work goes on. Returns the bytes written.
 */
export async function writeStateFile(path: string, chunks: Iterable<StateChunk>): Promise<number> {
  await mkdir(dirname(path), { recursive: true })
  const unfinished = `${path}.new`
  const file = await open(unfinished, 'w', 0o600)
  let bytes = 0
  try {
    bytes = await writeChunks(file, chunks)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
  await syncFolder(dirname(path))
  return bytes
}

async function writeChunks(file: FileHandle, chunks: Iterable<StateChunk>): Promise<number> {
  let crc = 0
  let bytes = 0
  const write = async (part: Uint8Array): Promise<void> => {
    crc = crc32(part, crc)
    bytes += part.length
    await file.writeFile(part)
  }
  await write(Buffer.concat([MAGIC, words(LAYOUT)]))
  for (const chunk of chunks) {
    const name = Buffer.from(chunk.name)
    await write(Buffer.concat([words(name.length, chunk.bytes.length), name]))
    await write(chunk.bytes)
  }
  await write(words(0, 0))
  await write(words(crc))
  return bytes
}

/** Without this a power cut may bring the old name back. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32LE(value, i * 4)
  return bytes
}

/** The chunks of a file; undefined when there is none. Throws BAD_FILE when it is damaged, foreign or over the limit. */
export async function readStateFile(path: string, bytesMax: number): Promise<readonly StateChunk[] | undefined> {
  const found = await stat(path).catch(notThere)
  if (found === undefined) return undefined
  if (!found.isFile()) throw new Fault('BAD_FILE', `${path}: not a file`)
  if (found.size > bytesMax) throw new Fault('BAD_FILE', `${path}: ${found.size} bytes are more than ${bytesMax}`)
  return readStateChunks(await readFile(path), path)
}

export function readStateChunks(bytes: Buffer, path: string): readonly StateChunk[] {
  const refuse = (why: string): never => {
    throw new Fault('BAD_FILE', `${path}: ${why}`)
  }
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) refuse('not a state of Tailspan')
  const layout = bytes.readUInt32LE(MAGIC.length)
  if (layout !== LAYOUT) refuse(`layout ${layout} is of another version; this one reads ${LAYOUT}`)
  const end = bytes.length - FOOTER_BYTES
  if (end < HEADER_BYTES) refuse('cut short')
  if (bytes.readUInt32LE(bytes.length - 4) !== crc32(bytes.subarray(0, -4))) refuse('damaged: its checksum is wrong')
  const chunks: StateChunk[] = []
  let at = HEADER_BYTES
  while (at < end) {
    const nameBytes = bytes.readUInt32LE(at)
    const dataBytes = bytes.readUInt32LE(at + 4)
    const name = at + CHUNK_HEADER_BYTES
    const data = name + nameBytes
    at = data + dataBytes
    if (at > end) refuse('damaged: a chunk is longer than the file')
    chunks.push({ name: bytes.toString('utf8', name, data), bytes: bytes.subarray(data, at) })
  }
  return chunks
}

function notThere(reason: unknown): undefined {
  if ((reason as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw reason
}
