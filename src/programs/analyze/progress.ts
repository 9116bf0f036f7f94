/** A bar on a terminal's stderr; nothing elsewhere. */
export interface Progress {
  readonly add: (bytes: number) => void
  readonly stop: () => void
}

export async function startProgress(totalBytes: number, terminal: NodeJS.WriteStream): Promise<Progress> {
  if (!terminal.isTTY) return { add: () => undefined, stop: () => undefined }
  const { default: progress } = await import('cli-progress')
  const bar = new progress.SingleBar({
    stream: terminal,
    format: '{bar} {percentage} %  {eta_formatted} left',
    clearOnComplete: true,
    hideCursor: true
  })
  bar.start(totalBytes, 0)
  return {
    add(bytes) {
      bar.increment(bytes)
    },
    stop() {
      bar.stop()
    }
  }
}
