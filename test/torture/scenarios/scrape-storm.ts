import { get } from 'node:http'
import { connect } from 'node:net'
import { pause } from '../../builders/live-service.ts'
import { letters } from '../../builders/load-plan.ts'
import { type Exposition } from '../../builders/prometheus-text.ts'
import { defineScenario } from '../scenario.ts'
import { spanBytes, traceBody } from '../senders/bodies.ts'
import { postNoting } from '../senders/noting.ts'

const OPERATIONS = 300
const SCRAPERS = 32
const SLOW_READERS = 32
const paths = ['/metrics', '/api/v1/operations', '/api/v1/tail', '/']

interface Facts {
  readonly answered: number
  readonly busy: number
  readonly failed: number
  readonly last: Exposition
}

export const scenario = defineScenario<Facts>({
  name: 'scrape storm',
  thrown: `${SCRAPERS} readers of ${paths.join(', ')} without a pause, ${SLOW_READERS} that read a byte of /metrics a second`,
  // Slow readers may hold every place for scrapes: a scrape then is told to come back.
  limits: { metricsFailedShareMax: 1 },
  async run(bed) {
    const account = bed.ledger.account('many operations')
    const spans = Array.from({ length: OPERATIONS }, (_, i) => spanBytes({ name: `GET /${letters(i)}` }))
    await postNoting(bed.service.http, traceBody(account.service, spans), { account, requests: OPERATIONS })
    await bed.settled()
    const endMs = performance.now() + bed.pick(5_000, 40_000)
    const facts = { answered: 0, busy: 0, failed: 0 }
    const slow = Array.from({ length: SLOW_READERS }, () => readSlowly(bed.service.metrics, endMs))
    const storm = Array.from({ length: SCRAPERS }, async (_, i) => {
      while (performance.now() < endMs) {
        const status = await statusOf(`http://${bed.service.metrics}${paths[i % paths.length] ?? ''}`)
        if (status === 503 || status === 429) facts.busy += 1
        else if (status >= 200 && status < 500) facts.answered += 1
        else facts.failed += 1
        // Who is refused asks again at once; a breath, so that not only refusals are counted.
        if (status !== 200) await pause(10)
      }
    })
    await Promise.all([...slow, ...storm])
    return { ...facts, last: await bed.settled() }
  },
  happened: ({ answered, busy, failed, last }) =>
    `${answered} answers, ${busy} times 503, ${failed} failed; ${last.sum('tail_scrapes_cut_total')} slow readers cut`,
  judge({ answered, failed, last }, tally) {
    tally.check('readers are answered', answered > 0, 'none')
    tally.equal('readers that got no answer', failed, 0)
    const told = last.sum('tail_scrapes_cut_total') + last.sum('tail_scrapes_refused_total')
    tally.check('what was cut or refused is counted', told > 0, 'nothing is')
  }
})

function statusOf(url: string): Promise<number> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 30_000 }, (response) => {
      response.resume()
      response.on('close', () => {
        resolve(response.complete ? (response.statusCode ?? 0) : 0)
      })
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => {
      resolve(0)
    })
  })
}

/** Asks and then takes a byte a second, again when it is cut. */
async function readSlowly(address: string, endMs: number): Promise<void> {
  const [host = '', port = ''] = address.split(':')
  while (performance.now() < endMs) {
    const socket = connect(Number(port), host)
    socket.on('error', () => undefined)
    socket.write('GET /metrics HTTP/1.1\r\nhost: t\r\n\r\n'.repeat(20))
    while (performance.now() < endMs && !socket.destroyed && !socket.readableEnded) {
      socket.read(1)
      await pause(1_000)
    }
    socket.destroy()
  }
}
