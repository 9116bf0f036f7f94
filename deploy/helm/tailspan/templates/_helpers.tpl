{{- define "tailspan.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tailspan.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* How the metrics port is spoken to. */}}
{{- define "tailspan.scheme" -}}
{{- ternary "http" "https" (empty (dig "expose" "tls" "cert_file" "" .Values.settings)) -}}
{{- end -}}

{{- define "tailspan.labels" -}}
{{ include "tailspan.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "tailspan.settings" -}}
{{- $derived := dict
  "insecure" (empty (dig "access" "credentials" list .Values.settings))
  "accept" (dict "host" "0.0.0.0")
  "expose" (dict "host" "0.0.0.0" "zero_first" .Values.serviceMonitor.interval)
-}}
{{- toYaml (mergeOverwrite $derived (deepCopy .Values.settings)) -}}
{{- end -}}
