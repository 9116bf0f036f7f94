import { z } from 'zod'
import { durationMs, section } from '../runtime/setting-kinds.ts'

const url = (of: string): z.ZodString =>
  z.string().regex(/^https?:\/\/[^\s"'`{}]+$/, `expected the address of ${of}, beginning with http:// or https://`)

/** `alerting`: what `tailspan rules` puts into the rules; the service itself does not read it. */
export const alertingSection = section({
  job: z
    .string()
    .regex(/^[\w.:/-]+$/, 'expected the name of a scrape job: letters, digits and _ . : / -')
    .default('tailspan')
    .describe('The job of your Prometheus that scrapes Tailspan, for the alerts about Tailspan itself.'),
  scrape_interval: durationMs
    .default(15_000)
    .describe('How often your Prometheus scrapes Tailspan. No window of a rule is shorter than four times this.'),
  page_url: url('the page')
    .default('http://127.0.0.1:9464')
    .describe('Where people reach this page from; alerts link to it.'),
  grafana_url: url('Grafana')
    .default('http://127.0.0.1:3000')
    .describe('Where people reach Grafana; alerts link to the dashboards there.'),
  runbook_url: url('the runbooks')
    .optional()
    .describe(
      'The folder of your own runbooks; a link is this, a slash, the name of the alert and .md. By default page_url/runbooks: Tailspan shows the ones it ships.'
    ),
  requests_min: z
    .int()
    .min(1)
    .default(100)
    .describe(
      'A budget alert needs more requests than this in its long window, so that one slow request wakes nobody.'
    ),
  slower_than_yesterday: section({
    factor: z
      .number()
      .min(1)
      .default(1.5)
      .describe(
        'An operation without a budget is slower when its p99 is more than this times that of the same hour yesterday'
      ),
    by: durationMs.default(10).describe('and at least this much longer'),
    requests_min: z
      .int()
      .min(1)
      .default(500)
      .describe('with at least this many requests in 15 minutes, and in that hour of yesterday.')
  }).prefault({})
})

export interface AlertingSettings {
  readonly job: string
  readonly pageUrl: string
  readonly grafanaUrl: string
  readonly runbookUrl: string
  readonly scrapeIntervalMs: number
  readonly requestsMin: number
  readonly slowerThanYesterday: { readonly factor: number; readonly byMs: number; readonly requestsMin: number }
}

export function alertingSettings(parsed: z.output<typeof alertingSection>): AlertingSettings {
  const bare = (address: string): string => address.replace(/\/+$/, '')
  const { factor, by, requests_min } = parsed.slower_than_yesterday
  return {
    job: parsed.job,
    pageUrl: bare(parsed.page_url),
    grafanaUrl: bare(parsed.grafana_url),
    runbookUrl: bare(parsed.runbook_url ?? `${bare(parsed.page_url)}/runbooks`),
    scrapeIntervalMs: parsed.scrape_interval,
    requestsMin: parsed.requests_min,
    slowerThanYesterday: { factor, byMs: by, requestsMin: requests_min }
  }
}
