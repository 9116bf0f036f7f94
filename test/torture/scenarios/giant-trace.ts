import { randomBytes } from 'node:crypto'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { bytesField, numberField } from '../../builders/protobuf-bytes.ts'
import { defineScenario } from '../scenario.ts'
import { spanBytes, traceBody } from '../senders/bodies.ts'
import { postNoting } from '../senders/noting.ts'

const SPANS_PER_BODY = 10_000
const INTERNAL = 1

export const scenario = defineScenario<{ readonly spans: number; readonly last: Exposition }>({
  name: 'giant trace',
  thrown: 'a million spans of one trace id, each a child of the one before (100,000 in the short form)',
  settings: { assemble: { spans_per_trace_max: 50_000 } },
  limits: { grownMibMax: 512 },
  async run(bed) {
    const account = bed.ledger.account('giant')
    const traceId = randomBytes(16)
    const spanId = Buffer.alloc(8)
    let parent: Buffer = randomBytes(8)
    const total = bed.pick(100_000, 1_000_000)
    const root = traceBody('giant', [spanBytes({ name: 'root', traceId, spanId: parent })])
    await postNoting(bed.service.http, root, { account, requests: 1 })
    for (let sent = 0; sent < total; sent += SPANS_PER_BODY) {
      const spans = Array.from({ length: SPANS_PER_BODY }, (_, i) => {
        spanId.writeUInt32BE(sent + i + 1)
        // Of a field that comes twice the last counts: not a request, and not a root.
        const more = Buffer.concat([bytesField(4, parent), numberField(6, INTERNAL)])
        parent = Buffer.from(spanId)
        return spanBytes({ name: 'step', traceId, spanId, more })
      })
      await postNoting(bed.service.http, traceBody('giant', spans), { account, requests: 0 })
    }
    return { spans: total, last: await bed.settled() }
  },
  happened: ({ spans, last }) =>
    `${spans} spans; ${last.sum('tail_spans_over_trace_max_total')} were over the limit of a trace, ${last.sum('tail_spans_late_total')} late`,
  judge({ spans, last }, tally) {
    const received = last.sum('tail_spans_received_total')
    tally.check('every span is accounted for', received >= spans, `${received} received`)
    const left = last.sum('tail_spans_over_trace_max_total') + last.sum('tail_spans_late_total')
    tally.check('the trace was cut at its limit', left > 0, 'no span was over it')
  }
})
