{{/*
"MATCHING ALL MISSED": how many nodes get an agent, of how many, and how many offer nvidia.com/… but get none. Empty where
the nodes cannot be seen, as in `helm template`, must not be looked at, or the affinity has what is not judged here (Gt, Lt, fields).
*/}}
{{- define "k8s-gpu-mcp.nodeCounts" -}}
{{- $nodes := list }}
{{- if .Values.access.clusterRole }}{{ $nodes = (lookup "v1" "Node" "" "").items | default list }}{{ end }}
{{- $affinity := toYaml .Values.nodeAffinity }}
{{- if and $nodes (not (regexMatch "operator: (Gt|Lt)|matchFields:" $affinity)) }}
{{- $matching := 0 }}
{{- $missed := 0 }}
{{- range $nodes }}
{{- $offered := regexMatch "(^| )nvidia[.]com/" (keys (.status.capacity | default dict) | join " ") }}
{{- if include "k8s-gpu-mcp.nodeMatches" (dict "labels" (.metadata.labels | default dict) "values" $.Values) }}
{{- $matching = add1 $matching }}
{{- else if $offered }}
{{- $missed = add1 $missed }}
{{- end }}
{{- end }}
{{- $matching }} {{ len $nodes }} {{ $missed }}
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
