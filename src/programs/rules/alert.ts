import { type AlertingSettings } from '../../settings/alerting.ts'
import { type AlertRule, type Severity } from './rule-file.ts'
import { parameters } from './texts.ts'

/** What an alert is about: that decides where its links lead. */
export type Subject = 'operation' | 'service' | 'itself'

export interface Alert {
  readonly name: string
  readonly severity: Severity
  readonly subject: Subject
  readonly expr: string
  readonly for?: string
  /** One sentence. */
  readonly summary: string
  readonly description: string
}

const dashboards = {
  operation: `tailspan-operation?${parameters({ 'var-service': 'service_name', 'var-operation': 'operation' })}`,
  service: `tailspan-service?${parameters({ 'var-service': 'service_name' })}`,
  itself: 'tailspan-health'
} as const satisfies Readonly<Record<Subject, string>>

/** Views of the page, as `expose/page/routes.js` reads them. */
const views = {
  operation: `#/operation?${parameters({ service: 'service_name', operation: 'operation' })}`,
  service: `#/?${parameters({ filter: 'service_name' })}`,
  itself: ''
} as const satisfies Readonly<Record<Subject, string>>

export function alertRule(alert: Alert, settings: AlertingSettings): AlertRule {
  return {
    alert: alert.name,
    expr: alert.expr,
    ...(alert.for !== undefined && { for: alert.for }),
    labels: { severity: alert.severity },
    annotations: {
      summary: alert.summary,
      description: `${alert.description}\n`,
      page_url: `${settings.pageUrl}/${views[alert.subject]}`,
      dashboard_url: `${settings.grafanaUrl}/d/${dashboards[alert.subject]}`,
      runbook_url: `${settings.runbookUrl}/${alert.name}.md`
    }
  }
}
