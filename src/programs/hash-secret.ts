import { text } from 'node:stream/consumers'
import { hashPassword, hashToken } from '../access/index.ts'
import { Fault } from '../runtime/fault.ts'

export interface HashSecretOptions {
  /** The secret, on a line of its own: as an argument, every user of the machine could read it. */
  readonly input: NodeJS.ReadableStream
  /** Made by a machine, so that one SHA-256 hides it. */
  readonly token: boolean
}

/** What a credentials file may hold instead of a secret. */
export async function hashSecret({ input, token }: HashSecretOptions): Promise<string> {
  const secret = (await text(input)).replace(/\r?\n$/, '')
  if (secret === '') throw new Fault('BAD_PAYLOAD', 'give the secret on standard input')
  return token ? hashToken(secret) : hashPassword(secret)
}
