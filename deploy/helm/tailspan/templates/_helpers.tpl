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

{{/*
Where the container's memory goes, in bytes. Of memoryMiB: 1/8 for bodies being read, 1/4 for open spans of 110 bytes, 1/16
each for closed traces, held traces, kept traces and both halves of the sketches. The remaining 5/16 are what the settings
leave as they are (pieces, bodies, strings: about 100 MiB) and Node itself.
*/}}
{{- define "tailspan.settings" -}}
{{- $bytes := mul .Values.memoryMiB 1048576 -}}
{{- $sixteenth := printf "%dMiB" (div .Values.memoryMiB 16) -}}
{{- $derived := dict
  "insecure" (empty (dig "access" "credentials" list .Values.settings))
  "accept" (dict "host" "0.0.0.0" "in_flight_bytes_max" (printf "%dMiB" (div .Values.memoryMiB 8)))
  "assemble" (dict "spans_max" (div (div $bytes 4) 110) "late_bytes_max" $sixteenth)
  "decompose" (dict "inference" (dict "held_bytes_max" $sixteenth))
  "explain" (dict "retained_bytes_max" $sixteenth "sketch_bytes_max" $sixteenth)
  "expose" (dict "host" "0.0.0.0" "zero_first" .Values.serviceMonitor.interval)
-}}
{{- toYaml (mergeOverwrite $derived (deepCopy .Values.settings)) -}}
{{- end -}}
