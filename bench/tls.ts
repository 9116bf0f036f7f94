import { secretFolder } from '../test/builders/access-under-test.ts'
import { createAuthority } from '../test/builders/certificates.ts'
import { digits, type Figure, figureTable, markdownTable } from './table.ts'
import { type LoadPlan, measureTogether } from './under-load.ts'

const BOUND_RATIO = 1.25
const RUNS = 3
const WARM_UP_SPANS = 400_000
const RUN_SPANS = 600_000

/** What TLS costs, beside the same load in the clear. All take turns. */
export async function tls(): Promise<string> {
  const folder = secretFolder()
  try {
    const authority = createAuthority('bench')
    folder.writeIdentity(authority.issue({ commonName: 'tailspan', alternatives: ['localhost', '127.0.0.1'] }))
    const secure = {
      settings: { accept: { tls: { cert_file: folder.path('tls.crt'), key_file: folder.path('tls.key') } } },
      authority: authority.cert
    }
    const transports = ['http', 'grpc'] as const
    const plans = transports.flatMap((transport) => [planOf(transport), { ...planOf(transport), ...secure }])
    const reports = await measureTogether(plans)
    const costs = reports.map(({ cpuSecondsPerMillion }) => cpuSecondsPerMillion)
    const rows: string[][] = []
    const figures = transports.map((transport, i): Figure => {
      const [clear = NaN, encrypted = NaN] = costs.slice(2 * i)
      const ratio = encrypted / clear
      rows.push([transport, digits(clear), digits(encrypted), digits(ratio)])
      const name = `${transport} over TLS: CPU per span, of that in the clear`
      return { name, measured: digits(ratio), bound: `≤ ${BOUND_RATIO}`, met: ratio <= BOUND_RATIO }
    })
    const head = ['transport', 'CPU s per million spans in the clear', 'over TLS', 'ratio']
    return `${figureTable(figures)}\n\nTLS 1.3 as Node and its client agree on it, an ECDSA P-256 certificate, connections that stay open.\n\n${markdownTable(head, rows)}`
  } finally {
    folder.remove()
  }
}

function planOf(transport: LoadPlan['transport']): LoadPlan {
  const plan = { transport, format: 'protobuf', gzip: false, operations: 200 } as const
  return { ...plan, warmUpSpans: WARM_UP_SPANS, runSpans: RUN_SPANS, runs: RUNS }
}
