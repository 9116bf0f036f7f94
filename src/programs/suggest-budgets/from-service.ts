import { z } from 'zod'
import { type BudgetQuantile, budgetQuantiles } from '../../model/budgets.ts'
import { Fault } from '../../runtime/fault.ts'
import { type Observed } from './suggestion.ts'

const ANSWER_MS_MAX = 10_000

const operationsPage = z.object({
  operations: z.array(z.object({ service: z.string(), operation: z.string() })),
  total: z.number()
})
const tail = z.object({
  class: z.string(),
  requests: z.number(),
  sampling: z.string(),
  distribution: z.array(z.tuple([z.number(), z.number()])).default([])
})

export interface ServiceFilter {
  readonly service?: string
  readonly operation?: string
}

/** What a running service saw of its operations since each first came. Throws BAD_FILE when it does not answer as one. */
export async function observedByService(address: string, filter: ServiceFilter): Promise<Observed[]> {
  const names = await namesOf(address)
  const observed: Observed[] = []
  for (const { service, operation } of names) {
    if (filter.service !== undefined && service !== filter.service) continue
    if (filter.operation !== undefined && operation !== filter.operation) continue
    const found = await ask(address, `api/v1/tail?${String(new URLSearchParams({ service, operation }))}`, tail)
    // It may have left since it was named.
    if (found !== undefined) observed.push({ service, operation, ...observedOf(found) })
  }
  return observed
}

async function namesOf(address: string): Promise<{ service: string; operation: string }[]> {
  const names: { service: string; operation: string }[] = []
  for (;;) {
    const page = await ask(address, `api/v1/operations?offset=${names.length}`, operationsPage)
    names.push(...(page?.operations ?? []))
    if (page === undefined || page.operations.length === 0 || names.length >= page.total) return names
  }
}

function observedOf({
  class: kind,
  requests,
  sampling,
  distribution
}: z.infer<typeof tail>): Omit<Observed, 'service' | 'operation'> {
  const quantilesNs = Object.fromEntries(
    Object.entries(budgetQuantiles).map(([name, share]) => [name, quantileOf(distribution, 1 - share)])
  ) as Record<BudgetQuantile, number | null>
  const unfit = sampling === 'tail' && { unfit: 'its traces were chosen by how they went (tail sampling)' }
  return { class: kind, requests, quantilesNs, ...unfit }
}

/** Upper bound of the bar that holds the quantile: up to 9 % above it. */
function quantileOf(bars: readonly (readonly [bound: number, requests: number])[], q: number): number | null {
  const all = bars.reduce((sum, [, requests]) => sum + requests, 0)
  let seen = 0
  for (const [bound, requests] of bars) {
    seen += requests
    if (seen > 0 && seen >= q * all) return bound
  }
  return null
}

/** Undefined where there is no such thing (any more). */
async function ask<T>(address: string, path: string, answer: z.ZodType<T>): Promise<T | undefined> {
  const url = urlOf(address, path)
  const fail = (why: string, cause?: unknown): Fault => new Fault('BAD_FILE', `${url.href}: ${why}`, { cause })
  let response: Response
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  } catch (reason) {
    const { cause } = reason as { cause?: unknown }
    throw fail(Fault.from(cause ?? reason).message, reason)
  }
  if (response.status === 404 && path.includes('/tail?')) return undefined
  if (response.status !== 200) throw fail(`answered ${response.status}`)
  const parsed = answer.safeParse(await response.json().catch(() => undefined))
  if (!parsed.success) throw fail('not the answer of Tailspan; give the address of /metrics, http://127.0.0.1:9464')
  return parsed.data
}

function urlOf(address: string, path: string): URL {
  try {
    return new URL(path, address.endsWith('/') ? address : `${address}/`)
  } catch (reason) {
    throw new Fault('BAD_FILE', `${address}: expected an address like http://127.0.0.1:9464`, { cause: reason })
  }
}
