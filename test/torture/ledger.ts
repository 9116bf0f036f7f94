import { type Exposition } from '../builders/prometheus-text.ts'
import { type Tally } from '../builders/tally.ts'

/** What a sender was told about one body; without an answer it cannot know. */
const outcomes = ['acknowledged', 'retryable', 'refused', 'unanswered'] as const
export type Outcome = (typeof outcomes)[number]

/** The books of one service.name: what its senders sent and what they were told. */
export interface Account {
  readonly service: string
  /** Requests to be counted (root spans) by what was said of the bodies they were in. */
  readonly requests: Record<Outcome, number>
  readonly bodies: Record<Outcome, number>
  readonly note: (outcome: Outcome, requests: number) => void
}

export interface Ledger {
  readonly account: (service: string) => Account
  readonly accounts: () => readonly Account[]
}

const none = (): Record<Outcome, number> => ({ acknowledged: 0, retryable: 0, refused: 0, unanswered: 0 })

export function createLedger(): Ledger {
  const accounts = new Map<string, Account>()
  return {
    account(service) {
      const known = accounts.get(service)
      if (known !== undefined) return known
      const account: Account = {
        service,
        requests: none(),
        bodies: none(),
        note(outcome, requests) {
          account.requests[outcome] += requests
          account.bodies[outcome] += 1
        }
      }
      accounts.set(service, account)
      return account
    },
    accounts: () => [...accounts.values()]
  }
}

type Counted = (exposition: Exposition) => number

/** Services whose books are compared with the counters together; none = each for itself. */
interface Books {
  readonly name: string
  readonly requests: Readonly<Record<Outcome, number>>
  readonly counted: Counted
}

function booksOf(ledger: Ledger, together: Counted | undefined): Books[] {
  const accounts = ledger.accounts()
  if (together === undefined) {
    return accounts.map(({ service, requests }) => ({
      name: service,
      requests,
      counted: (exposition) => exposition.sum('tail_requests_total', { service_name: service })
    }))
  }
  const requests = none()
  for (const account of accounts) for (const outcome of outcomes) requests[outcome] += account.requests[outcome]
  return [{ name: 'all services', requests, counted: together }]
}

/** What tells whether all that is acknowledged by now is counted. */
export function settledSince(ledger: Ledger, together: Counted | undefined): (exposition: Exposition) => boolean {
  const expected = booksOf(ledger, together).map(({ requests, counted }) => ({ least: requests.acknowledged, counted }))
  return (exposition) => expected.every(({ least, counted }) => counted(exposition) >= least)
}

/**
 * Acknowledged = counted; what got no answer may or may not be. Everything else was refused so that its sender comes back
 * with it, and is in the counters.
 */
export function judgeLedger(exposition: Exposition, ledger: Ledger, tally: Tally, together?: Counted): void {
  for (const { name, requests, counted } of booksOf(ledger, together)) {
    const { acknowledged, unanswered } = requests
    const found = counted(exposition)
    tally.check(
      `${name}: what was acknowledged is counted, once`,
      found >= acknowledged && found <= acknowledged + unanswered,
      `${acknowledged} acknowledged, ${unanswered} without an answer, ${found} counted`
    )
  }
  let refused = 0
  for (const { service, bodies } of ledger.accounts()) {
    refused += bodies.retryable + bodies.refused
    const why = `${bodies.refused} bodies were refused for good`
    tally.check(`${service}: every refusal was retryable`, bodies.refused === 0, why)
  }
  const inCounters = exposition.sum('tail_requests_refused_total')
  tally.check('every refusal is counted', inCounters >= refused, `${refused} were told, ${inCounters} are counted`)
}

/** The books in a line, for the table. */
export function summaryOf(ledger: Ledger): string {
  const sum = (outcome: Outcome, of: 'requests' | 'bodies'): number =>
    ledger.accounts().reduce((total, account) => total + account[of][outcome], 0)
  const parts = [`${sum('acknowledged', 'requests')} requests acknowledged`]
  if (sum('retryable', 'bodies') > 0) parts.push(`${sum('retryable', 'bodies')} bodies refused retryably`)
  if (sum('refused', 'bodies') > 0) parts.push(`${sum('refused', 'bodies')} bodies refused for good`)
  if (sum('unanswered', 'bodies') > 0) parts.push(`${sum('unanswered', 'bodies')} bodies without an answer`)
  return parts.join(', ')
}

/** Operations that have a row of their own, of one service or of all. */
export function operationsIn(exposition: Exposition, service?: string): Set<string> {
  return new Set(
    exposition.samples
      .filter(({ name }) => name === 'tail_requests_total')
      .filter(({ labels }) => service === undefined || labels['service_name'] === service)
      .map(({ labels }) => `${labels['service_name'] ?? ''}\n${labels['operation'] ?? ''}`)
  )
}
