{{- define "k8s-gpu-mcp.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 54 characters: the names made from it have to stay within 63. */}}
{{- define "k8s-gpu-mcp.fullname" -}}
{{- $name := include "k8s-gpu-mcp.name" . }}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $full .Values.fullnameOverride | trunc 54 | trimSuffix "-" }}
{{- end }}

{{/* ClusterRoles have no namespace: the name tells apart releases of the same name. */}}
{{- define "k8s-gpu-mcp.viewerName" -}}
{{ .Release.Namespace }}-{{ include "k8s-gpu-mcp.fullname" . }}-viewer
{{- end }}

{{- define "k8s-gpu-mcp.accessName" -}}
{{ include "k8s-gpu-mcp.fullname" . }}-access
{{- end }}

{{- define "k8s-gpu-mcp.claimTemplateName" -}}
{{ include "k8s-gpu-mcp.fullname" . }}-gpus
{{- end }}

{{- define "k8s-gpu-mcp.tokenSecretName" -}}
{{- .Values.expose.existingSecret | default (printf "%s-token" (include "k8s-gpu-mcp.fullname" .)) }}
{{- end }}

{{- define "k8s-gpu-mcp.serverName" -}}
{{ include "k8s-gpu-mcp.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{- define "k8s-gpu-mcp.selectorLabels" -}}
app.kubernetes.io/name: {{ include "k8s-gpu-mcp.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "k8s-gpu-mcp.labels" -}}
{{ include "k8s-gpu-mcp.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What the bridge finds agents by, on the DaemonSet and on its pods. */}}
{{- define "k8s-gpu-mcp.agentLabels" -}}
k8s-gpu-mcp/agent: "true"
k8s-gpu-mcp/mode: {{ .Values.agent.mode }}
{{- if include "k8s-gpu-mcp.exposed" . }}
k8s-gpu-mcp/exposed: "true"
{{- end }}
{{- end }}

{{- define "k8s-gpu-mcp.image" -}}
{{- with .Values.image }}
{{- .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Non-empty where the agent reads the kernel log: not in the mode stdio, whose pods ask for nothing of the node. */}}
{{- define "k8s-gpu-mcp.kernelLog" -}}
{{- if and .Values.kernelLog.enabled (eq .Values.agent.mode "http") }}yes{{ end }}
{{- end }}

{{/* Non-empty where the agent asks the kubelet who holds which GPU: for the labels of the GPUs' metrics, and for whose the processes are. */}}
{{- define "k8s-gpu-mcp.podResources" -}}
{{- if and .Values.podResources.enabled (or .Values.metrics.gpu .Values.hostPID.enabled) (eq .Values.agent.mode "http") }}yes{{ end }}
{{- end }}

{{/* Non-empty where the history outlives the agent's process. */}}
{{- define "k8s-gpu-mcp.history" -}}
{{- if and .Values.history.enabled (eq .Values.agent.mode "http") }}yes{{ end }}
{{- end }}

{{/* The folder of the node that keeps it; empty where it lives as long as the pod. */}}
{{- define "k8s-gpu-mcp.historyPath" -}}
{{- if include "k8s-gpu-mcp.history" . }}{{ .Values.history.path }}{{ end }}
{{- end }}

{{/* Non-empty where MCP is open on the pod network. */}}
{{- define "k8s-gpu-mcp.exposed" -}}
{{- if and .Values.expose.enabled (eq .Values.agent.mode "http") }}yes{{ end }}
{{- end }}

{{/* What is asked for, but not to be had in the mode stdio: it waits there for the way back. */}}
{{- define "k8s-gpu-mcp.setAside" -}}
{{- with .Values }}
{{- $asked := dict "expose" .expose.enabled "history" .history.enabled "metrics.gpu" .metrics.gpu "metrics.podMonitor" .metrics.podMonitor.enabled "metrics.prometheusRule" .metrics.prometheusRule.enabled }}
{{- $names := list }}
{{- range $name, $on := $asked }}{{ if $on }}{{ $names = append $names $name }}{{ end }}{{ end }}
{{- if eq .agent.mode "stdio" }}{{ join ", " $names }}{{ end }}
{{- end }}
{{- end }}

{{/* Non-empty where the pod has to be root on the node's behalf. */}}
{{- define "k8s-gpu-mcp.root" -}}
{{- if or (include "k8s-gpu-mcp.kernelLog" .) (include "k8s-gpu-mcp.podResources" .) (include "k8s-gpu-mcp.historyPath" .) (eq .Values.gpuAccess.mode "hostDriver") }}yes{{ end }}
{{- end }}

{{/* Why Pod Security `baseline` and `restricted` refuse the pod; empty where they do not. */}}
{{- define "k8s-gpu-mcp.privilegeReasons" -}}
{{- $reasons := list }}
{{- if eq .Values.gpuAccess.mode "hostDriver" }}{{ $reasons = append $reasons "gpuAccess.mode=hostDriver" }}{{ end }}
{{- if include "k8s-gpu-mcp.kernelLog" . }}{{ $reasons = append $reasons "kernelLog.enabled" }}{{ end }}
{{- if include "k8s-gpu-mcp.podResources" . }}{{ $reasons = append $reasons "podResources.enabled" }}{{ end }}
{{- if .Values.hostPID.enabled }}{{ $reasons = append $reasons "hostPID.enabled" }}{{ end }}
{{- if include "k8s-gpu-mcp.historyPath" . }}{{ $reasons = append $reasons "history.path" }}{{ end }}
{{- range .Values.extraVolumes }}
{{- if hasKey . "hostPath" }}{{ $reasons = append $reasons (printf "extraVolumes %s" .name) }}{{ end }}
{{- end }}
{{- join ", " $reasons }}
{{- end }}

{{/*
Non-empty where people need exec: in the mode stdio, and in the upgrade that leaves it, whose old pods are asked until they
are replaced. The upgrade after that takes the right away.
*/}}
{{- define "k8s-gpu-mcp.exec" -}}
{{- $live := lookup "apps/v1" "DaemonSet" .Release.Namespace (include "k8s-gpu-mcp.fullname" .) }}
{{- $was := dig "metadata" "labels" "k8s-gpu-mcp/mode" "" ($live | default dict) }}
{{- if or (eq .Values.agent.mode "stdio") (eq $was "stdio") }}yes{{ end }}
{{- end }}
