import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'

const READ_BYTES = 256 * 1024

/** The bytes of a file, unzipped if they are gzip (known by its first two bytes). `progress` counts them as they lie on the disk. */
export async function* fileChunks(path: string, progress: (bytes: number) => void): AsyncGenerator<Uint8Array, void> {
  const file = countedChunks(path, progress)
  const first = await file.next()
  if (first.done === true) return
  const zipped = first.value[0] === 0x1f && first.value[1] === 0x8b
  const all = preceded(first.value, file)
  yield* zipped ? unzip(all) : all
}

async function* countedChunks(path: string, progress: (bytes: number) => void): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>) {
    progress(chunk.length)
    yield chunk
  }
}

async function* preceded(first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  yield first
  yield* rest
}

/**
 * One read at a time through zlib. An ordinary pipe would lose what is unzipped but not yet read when the file turns out to be cut
 * short or damaged; here everything before the damage comes out, then the error.
 */
async function* unzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const gunzip = createGunzip({ chunkSize: READ_BYTES })
  const ready: Uint8Array[] = []
  let failure: Error | undefined
  const closed = new Promise<void>((resolve) => gunzip.once('close', resolve))
  gunzip.on('data', (chunk: Uint8Array) => ready.push(chunk))
  gunzip.on('error', (error) => (failure = error))
  const settled = async (start: (done: () => void) => void): Promise<Uint8Array[]> => {
    await Promise.race([new Promise<void>(start), closed])
    return ready.splice(0)
  }
  try {
    for await (const chunk of chunks) {
      yield* await settled((done) =>
        gunzip.write(chunk, () => {
          done()
        })
      )
      if (failure !== undefined) throw failure
    }
    yield* await settled((done) => gunzip.once('end', done).end())
    if (failure !== undefined) throw failure
  } finally {
    gunzip.destroy()
  }
}
