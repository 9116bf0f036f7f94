import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { projectFolder } from './live-service.ts'

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs `tailspan …` to its end, as its users do. */
export async function tailspan(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {}
): Promise<CommandResult> {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: projectFolder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const text = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text.stdout += part))
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text.stderr += part))
  await once(child, 'close')
  return { code: child.exitCode, ...text }
}

export interface RunningCommand {
  /** What it wrote to stdout and stderr so far. */
  readonly output: () => string
  /** Resolves once a pattern is in the output; rejects when the command ends without it. */
  readonly says: (pattern: RegExp) => Promise<RegExpExecArray>
  /** SIGTERM, then its exit code. */
  readonly stop: () => Promise<number | null>
}

/** Starts `tailspan …` with an environment of its own. */
export function startTailspan(args: readonly string[], env: Readonly<Record<string, string>>): RunningCommand {
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: projectFolder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const closed = once(child, 'close')
  let output = ''
  const collect = (part: Buffer): void => {
    output += part.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  return {
    output: () => output,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(output)
          if (found !== null) resolve(found)
        }
        look()
        child.stdout.on('data', look)
        child.stderr.on('data', look)
        child.once('close', () => {
          reject(new Error(`it ended without saying ${String(pattern)}:\n${output}`))
        })
      }),
    async stop() {
      child.kill('SIGTERM')
      await closed
      return child.exitCode
    }
  }
}
