{{/* What the schema cannot say, or says so that nobody understands it. */}}
{{- define "k8s-gpu-mcp.validate" -}}
{{- include "k8s-gpu-mcp.validateExpose" . }}
{{- with .Values }}
{{- if eq (int .agent.port) (int .agent.healthPort) }}
{{- fail (printf "agent.port and agent.healthPort are both %d: each listener needs a port of its own." (int .agent.port)) }}
{{- end }}
{{- $unit := regexFind "[a-z]+" .agent.sampleInterval }}
{{- $intervalMs := mulf (float64 (trimSuffix $unit .agent.sampleInterval)) (get (dict "ms" 1 "s" 1000 "m" 60000) $unit) }}
{{- if or (lt $intervalMs 10.0) (gt $intervalMs 3600000.0) }}
{{- fail (printf "agent.sampleInterval is %s: from 10ms to 3600s is possible." .agent.sampleInterval) }}
{{- end }}
{{- range $value, $set := dict "podLabels" .podLabels "podAnnotations" .podAnnotations }}
{{- range $key, $_ := $set }}
{{- if regexMatch "^(k8s-gpu-mcp/|app[.]kubernetes[.]io/(name|instance)$)" $key }}
{{- fail (printf "%s must not set %s: that is for the chart to set." $value $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .updateStrategy.rollingUpdate }}
{{- if and (ne (toString .maxSurge) "0") (ne (toString .maxUnavailable) "0") }}
{{- fail "updateStrategy.rollingUpdate: a DaemonSet takes maxSurge or maxUnavailable, and not both: set one of them to 0." }}
{{- end }}
{{- end }}
{{- if and .metrics.prometheusRule.enabled (not .metrics.podMonitor.enabled) }}
{{- fail "metrics.prometheusRule needs metrics.podMonitor.enabled=true: the alerts look at the job that the PodMonitor makes." }}
{{- end }}
{{- end }}
{{- if eq .Values.gpuAccess.mode "dra" }}
{{- if or (semverCompare "<1.34-0" .Capabilities.KubeVersion.Version) (not (.Capabilities.APIVersions.Has "resource.k8s.io/v1")) }}
{{- fail (printf "gpuAccess.mode=dra needs resource.k8s.io/v1, which Kubernetes has from 1.34 on; this cluster is %s. Set gpuAccess.mode to runtimeClass or hostDriver." .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "k8s-gpu-mcp.validateExpose" -}}
{{- with .Values.expose }}
{{- if .enabled }}
{{- if not .from }}
{{- fail "expose.enabled needs expose.from: say who may connect, as in from: [{podSelector: {matchLabels: {app: my-client}}}]." }}
{{- end }}
{{- if not (or .existingSecret .generateSecret) }}
{{- fail "expose.enabled needs a token: set expose.existingSecret to a Secret with the key token, or expose.generateSecret=true." }}
{{- end }}
{{- if and .existingSecret .generateSecret }}
{{- fail "expose.existingSecret and expose.generateSecret exclude each other: set one of them." }}
{{- end }}
{{- if not (or .tls.secretName .insecurePlaintext) }}
{{- fail "expose.enabled needs TLS: set expose.tls.secretName to a Secret with tls.crt and tls.key, or accept with expose.insecurePlaintext=true that token and answers can be read on the way." }}
{{- end }}
{{- if and .tls.secretName .insecurePlaintext }}
{{- fail "expose.tls.secretName and expose.insecurePlaintext exclude each other: set one of them." }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
