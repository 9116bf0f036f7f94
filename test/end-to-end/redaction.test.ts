import { expect, jest, test } from '@jest/globals'
import { scrapeUntil, startService } from '../builders/live-service.ts'
import { requestJson, requestProtobuf, shopRequests, type ShopRequest } from '../builders/shop-requests.ts'

// A process of its own, on machines that may be busy.
jest.setTimeout(60_000)

const CARD = '4111111111111111'

/** The shop's requests, with what nobody should see in the name of the gateway's operation. */
function withCard(requests: ShopRequest[]): ShopRequest[] {
  return JSON.parse(JSON.stringify(requests).replaceAll('GET /buy', `GET /buy with ${CARD}!`)) as ShopRequest[]
}

test('what a rule finds is in no answer and no file of the service, by either encoding', async () => {
  const service = await startService({
    assemble: { quiet_time: '300ms' },
    expose: { zero_first: '0s' },
    shutdown: { last_scrape_wait: '0s' },
    redaction: { rules: [{ values: '[0-9]{16}', action: 'mask' }] }
  })
  try {
    const requests = withCard(shopRequests({ traces: 20 }))
    expect(JSON.stringify(requests)).toContain(CARD)
    const half = requests.length / 2
    const url = `http://${service.http}/v1/traces`
    const post = async (type: string, body: string | Uint8Array): Promise<number> =>
      (await fetch(url, { method: 'POST', headers: { 'content-type': type }, body })).status
    expect(await post('application/json', JSON.stringify(requestJson(...requests.slice(0, half))))).toBe(200)
    expect(await post('application/x-protobuf', requestProtobuf(...requests.slice(half)))).toBe(200)
    const counted = await scrapeUntil(
      service,
      ({ sum }) => sum('tail_requests_total', { service_name: 'gateway' }) === 20,
      { everyMs: 100, forMs: 20_000 }
    )
    expect(counted.sum('tail_requests_total', { operation: 'GET /buy with ***!' })).toBe(20)
    expect(counted.sum('tail_redacted_total', { action: 'mask' })).toBe(20)
    const traces = await (await fetch(`http://${service.metrics}/api/v1/tail`)).text()
    expect(traces).not.toContain(CARD)
  } finally {
    expect(await service.stop()).toBe(0)
  }
})
