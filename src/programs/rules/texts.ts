/**
 * Texts of alerts are Go templates that ask Prometheus again while an alert is active. Queries name the alert's own labels by
 * number, `%[1]q`, which Go quotes as PromQL reads it: a name can be anything and stays a name.
 */
export interface Asker {
  /** Prints `text` with `.` as the first that the query finds, and `otherwise` when it finds nothing. */
  readonly first: (query: string, text: string, otherwise?: string) => string
}

/** Asks with these labels of the alert as %[1]q, %[2]q and so on. */
export function asker(labels: readonly string[]): Asker {
  const values = labels.map((label) => ` $labels.${label}`).join('')
  return {
    first(query, text, otherwise) {
      const filled = query.includes('%[') ? `printf \`${query}\`${values}` : `\`${query}\``
      const rest = otherwise === undefined ? '' : `{{ else }}${otherwise}`
      return `{{ with ${filled} | query }}{{ with first . }}${text}{{ end }}${rest}{{ end }}`
    }
  }
}

export const share = '{{ .Value | humanizePercentage }}'
export const seconds = '{{ .Value | humanizeDuration }}'
export const count = '{{ .Value | printf "%.0f" }}'
export const operationName = '{{ $labels.service_name }} {{ $labels.operation }}'

/** Parameters of a URL from labels of the alert: whatever a name holds, it stays in its place. */
export function parameters(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([parameter, label]) => `${parameter}={{ $labels.${label} | urlquery }}`)
    .join('&')
}
