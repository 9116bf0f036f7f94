/**
 * Pins the base images of the Dockerfile by digest: `node deploy/pin-images.ts [--write]`. Asks the registries what each tag is
 * now; a tag may be moved to other bytes, a digest may not. Without --write the lines are only printed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const dockerfile = fileURLToPath(new URL('../Dockerfile', import.meta.url))
const ANSWER_MS_MAX = 20_000
/** An index of all platforms first: the digest must be the same for amd64 and arm64. */
const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json'
].join(', ')

interface Image {
  readonly registry: string
  readonly name: string
  readonly tag: string
}

/** `node:24` is Docker Hub's `library/node`. */
function imageOf(written: string): Image {
  const [, path = '', tag = 'latest'] = /^([^@]+?)(?::([\w.-]+))?(?:@sha256:[0-9a-f]{64})?$/.exec(written) ?? []
  const [first = '', ...rest] = path.split('/')
  if (first.includes('.') && rest.length > 0) return { registry: first, name: rest.join('/'), tag }
  return { registry: 'registry-1.docker.io', name: rest.length === 0 ? `library/${first}` : path, tag }
}

async function digestOf({ registry, name, tag }: Image): Promise<string> {
  const url = `https://${registry}/v2/${name}/manifests/${tag}`
  let answer = await head(url, {})
  if (answer.status === 401) answer = await head(url, { authorization: `Bearer ${await tokenFor(answer)}` })
  const digest = answer.headers.get('docker-content-digest')
  if (!answer.ok || digest === null) throw new Error(`${url} answered ${answer.status}`)
  return digest
}

function head(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  return fetch(url, { method: 'HEAD', headers: { accept, ...headers }, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
}

/** Public images are read with a token that anyone is given. */
async function tokenFor(refusal: Response): Promise<string> {
  const challenge = refusal.headers.get('www-authenticate') ?? ''
  const part = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? ''
  const url = `${part('realm')}?${new URLSearchParams({ service: part('service'), scope: part('scope') }).toString()}`
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  return ((await answer.json()) as { token: string }).token
}

let text = readFileSync(dockerfile, 'utf8')
for (const [line, written = ''] of text.matchAll(/^FROM (\S+)/gm)) {
  try {
    const pinned = `${written.replace(/@sha256:.*/, '')}@${await digestOf(imageOf(written))}`
    text = text.replace(line, `FROM ${pinned}`)
    console.log(pinned)
  } catch (reason) {
    console.error(`${written}: its digest is not known, and it stays as it is (${(reason as Error).message})`)
    process.exitCode = 1
  }
}
if (process.argv.includes('--write')) writeFileSync(dockerfile, text)
