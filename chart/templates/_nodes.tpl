{{/* A node with this label has no agent: the agent keeps the driver open, in the way of a GPU reset or a driver upgrade. */}}
{{- define "k8s-gpu-mcp.pausedLabel" -}}k8s-gpu-mcp/paused{{- end }}

{{/* The terms of nodeAffinity, none of which takes a paused node. */}}
{{- define "k8s-gpu-mcp.nodeTerms" -}}
{{- $notPaused := dict "key" (include "k8s-gpu-mcp.pausedLabel" .) "operator" "DoesNotExist" }}
{{- $terms := list }}
{{- range .Values.nodeAffinity | default (list dict) }}
{{- $expressions := append (.matchExpressions | default list) $notPaused }}
{{- $terms = append $terms (merge (dict "matchExpressions" $expressions) .) }}
{{- end }}
{{- toYaml $terms }}
{{- end }}

{{/*
"MATCHING ALL MISSED PAUSED": how many nodes get an agent, of how many, how many offer nvidia.com/… but get none, and how many
would get one but for the label that pauses it. Empty where the nodes cannot be seen, as in `helm template`, must not be looked
at, or the affinity has what is not judged here (Gt, Lt, fields).
*/}}
{{- define "k8s-gpu-mcp.nodeCounts" -}}
{{- $nodes := list }}
{{- if .Values.access.clusterRole }}{{ $nodes = (lookup "v1" "Node" "" "").items | default list }}{{ end }}
{{- $affinity := toYaml .Values.nodeAffinity }}
{{- if and $nodes (not (regexMatch "operator: (Gt|Lt)|matchFields:" $affinity)) }}
{{- $matching := 0 }}
{{- $missed := 0 }}
{{- $paused := 0 }}
{{- $pausedLabel := include "k8s-gpu-mcp.pausedLabel" . }}
{{- range $nodes }}
{{- $labels := .metadata.labels | default dict }}
{{- $offered := regexMatch "(^| )nvidia[.]com/" (keys (.status.capacity | default dict) | join " ") }}
{{- $matches := include "k8s-gpu-mcp.nodeMatches" (dict "labels" $labels "values" $.Values) }}
{{- if and $matches (hasKey $labels $pausedLabel) }}
{{- $paused = add1 $paused }}
{{- else if $matches }}
{{- $matching = add1 $matching }}
{{- else if and $offered (not (hasKey $labels $pausedLabel)) }}
{{- $missed = add1 $missed }}
{{- end }}
{{- end }}
{{- $matching }} {{ len $nodes }} {{ $missed }} {{ $paused }}
{{- end }}
{{- end }}

{{- define "k8s-gpu-mcp.nodeMatches" -}}
{{- $labels := .labels }}
{{- $matches := empty .values.nodeAffinity }}
{{- range .values.nodeAffinity }}
{{- if .matchExpressions }}
{{- $all := true }}
{{- range .matchExpressions }}
{{- if not (include "k8s-gpu-mcp.holds" (dict "labels" $labels "expression" .)) }}{{ $all = false }}{{ end }}
{{- end }}
{{- if $all }}{{ $matches = true }}{{ end }}
{{- end }}
{{- end }}
{{- range $key, $value := .values.nodeSelector }}
{{- if ne (get $labels $key) $value }}{{ $matches = false }}{{ end }}
{{- end }}
{{- if $matches }}yes{{ end }}
{{- end }}

{{- define "k8s-gpu-mcp.holds" -}}
{{- $labels := .labels }}
{{- with .expression }}
{{- $present := hasKey $labels .key }}
{{- $listed := and $present (has (get $labels .key) .values) }}
{{- if or (and (eq .operator "In") $listed) (and (eq .operator "NotIn") (not $listed)) (and (eq .operator "Exists") $present) (and (eq .operator "DoesNotExist") (not $present)) }}yes{{ end }}
{{- end }}
{{- end }}
