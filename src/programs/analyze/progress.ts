/** stderr, as a rule. */
export type Terminal = NodeJS.WritableStream & { readonly isTTY?: boolean }

/** A bar on a terminal; nothing elsewhere. */
export interface Progress {
  readonly add: (bytes: number) => void
  readonly stop: () => void
}

export async function startProgress(totalBytes: number, terminal: Terminal): Promise<Progress> {
  if (terminal.isTTY !== true) return { add: () => undefined, stop: () => undefined }
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
