import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { acceptsGzip } from './negotiate.ts'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/**
 * Only files of ours, nothing inline, no other host. Trusted types: a browser that knows them refuses to read any text as
 * HTML, whatever a span is called.
 */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join('; ')

interface PageFile {
  readonly type: string
  readonly etag: string
  readonly plain: Buffer
  readonly gzipped: () => Buffer
}

/** The page's files, read once: `index.html` under /, the rest under /page/. */
export function addPage(app: FastifyInstance, folder = new URL('page/', import.meta.url)): void {
  for (const name of readdirSync(folder)) {
    const type = contentTypes[extname(name)]
    if (type === undefined) continue
    const file = readPageFile(new URL(name, folder), type)
    app.route({
      method: ['GET', 'HEAD'],
      url: name === 'index.html' ? '/' : `/page/${name}`,
      schema: { hide: true },
      handler: (request, reply) => answer(file, request, reply)
    })
  }
}

/** Runbooks as they are shipped, under /runbooks/: alerts link here unless told otherwise. As plain text, so that a browser shows them. */
export function addRunbooks(app: FastifyInstance, folder = new URL('../../deploy/runbooks/', import.meta.url)): void {
  for (const name of readdirSync(folder)) {
    if (extname(name) !== '.md') continue
    const file = readPageFile(new URL(name, folder), 'text/plain; charset=utf-8')
    const handler = (request: FastifyRequest, reply: FastifyReply): FastifyReply => answer(file, request, reply)
    app.route({ method: ['GET', 'HEAD'], url: `/runbooks/${name}`, schema: { hide: true }, handler })
    if (name === 'README.md') app.route({ method: ['GET', 'HEAD'], url: '/runbooks/', schema: { hide: true }, handler })
  }
}

function readPageFile(url: URL, type: string): PageFile {
  const plain = readFileSync(url)
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
  let gzipped: Buffer | undefined
  return { type, etag, plain, gzipped: () => (gzipped ??= gzipSync(plain, { level: 9 })) }
}

function answer({ type, etag, plain, gzipped }: PageFile, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  void reply.headers({ 'content-security-policy': PAGE_POLICY })
  return sendCached(request, reply.type(type), { etag, plain, gzipped })
}

/** Sends what may be kept but must be asked for again: 304 while the asker's own is still right. */
export function sendCached(
  request: FastifyRequest,
  reply: FastifyReply,
  { etag, plain, gzipped }: { etag: string; plain: Buffer; gzipped: () => Buffer }
): FastifyReply {
  void reply.headers({ etag, vary: 'accept-encoding', 'cache-control': 'no-cache' })
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send()
  if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(plain)
  return reply.header('content-encoding', 'gzip').send(gzipped())
}

function matches(header: string | undefined, etag: string): boolean {
  return header?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) ?? false
}
