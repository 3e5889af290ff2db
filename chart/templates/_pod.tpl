{{/* Where the container sees `gpuAccess.hostDriver.root`: the agent searches there, and nothing of the image is hidden. */}}
{{- define "k8s-gpu-mcp.driverRoot" -}}/run/nvidia/driver{{- end }}

{{/* Dialled directly, a pod's certificate is checked against this name; only one that says `plaintext` is sent a token without TLS. */}}
{{- define "k8s-gpu-mcp.podAnnotations" -}}
{{- if include "k8s-gpu-mcp.exposed" . }}
{{- if .Values.expose.tls.secretName }}
k8s-gpu-mcp/tls-server-name: {{ include "k8s-gpu-mcp.serverName" . }}
{{- else }}
k8s-gpu-mcp/plaintext: "true"
{{- end }}
{{- end }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Variables rather than arguments: an agent that `kubectl exec` starts in the pod has them too. */}}
{{- define "k8s-gpu-mcp.env" -}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: K8S_GPU_MCP_LOG_LEVEL
  value: {{ .Values.agent.logLevel }}
- name: K8S_GPU_MCP_SAMPLE_INTERVAL
  value: {{ .Values.agent.sampleInterval }}
{{- if include "k8s-gpu-mcp.kernelLog" . }}
- name: K8S_GPU_MCP_KERNEL_LOG
  value: "true"
{{- end }}
{{- if include "k8s-gpu-mcp.podResources" . }}
- name: K8S_GPU_MCP_POD_RESOURCES_SOCKET
  value: /var/lib/kubelet/pod-resources/kubelet.sock
{{- end }}
{{ include "k8s-gpu-mcp.gpuEnv" . }}
{{- if eq .Values.agent.mode "http" }}
{{ include "k8s-gpu-mcp.httpEnv" . }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/*
No NVIDIA_MIG_MONITOR_DEVICES: the toolkit refuses to start an unprivileged container that sets it. In the other modes
`void` keeps an nvidia runtime that is the node's default from interfering.
*/}}
{{- define "k8s-gpu-mcp.gpuEnv" -}}
{{- with .Values.gpuAccess -}}
{{- if eq .mode "runtimeClass" -}}
- name: NVIDIA_VISIBLE_DEVICES
  value: all
- name: NVIDIA_DRIVER_CAPABILITIES
  value: utility
{{- else if eq .mode "hostDriver" -}}
- name: NVIDIA_VISIBLE_DEVICES
  value: void
{{- with .hostDriver.library }}
- name: K8S_GPU_MCP_NVML_LIBRARY
  value: {{ printf "%s/%s" (include "k8s-gpu-mcp.driverRoot" $) (trimPrefix "/" .) | quote }}
{{- end }}
{{- else -}}
- name: NVIDIA_VISIBLE_DEVICES
  value: void
{{- end }}
{{- end }}
{{- end }}

{{- define "k8s-gpu-mcp.httpEnv" -}}
- name: K8S_GPU_MCP_PORT
  value: {{ .Values.agent.port | quote }}
- name: K8S_GPU_MCP_HEALTH_PORT
  value: {{ .Values.agent.healthPort | quote }}
- name: K8S_GPU_MCP_HEALTH_ADDR
  valueFrom: {fieldRef: {fieldPath: status.podIP}} # an address of either family
{{- if .Values.metrics.gpu }}
- name: K8S_GPU_MCP_METRICS_GPU
  value: "true"
{{- end }}
{{- if include "k8s-gpu-mcp.history" . }}
- name: K8S_GPU_MCP_HISTORY_DIR
  value: /var/lib/k8s-gpu-mcp
{{- end }}
{{- if include "k8s-gpu-mcp.exposed" . }}
- name: K8S_GPU_MCP_EXPOSE_ADDR
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: K8S_GPU_MCP_TOKEN_FILE
  value: /etc/k8s-gpu-mcp/token/token
{{- if .Values.expose.tls.secretName }}
- name: K8S_GPU_MCP_TLS_CERT_FILE
  value: /etc/k8s-gpu-mcp/tls/tls.crt
- name: K8S_GPU_MCP_TLS_KEY_FILE
  value: /etc/k8s-gpu-mcp/tls/tls.key
{{- end }}
{{- end }}
{{- end }}

{{/*
A bind mount does not open /dev/nvidia*: the device cgroup refuses. Hence `privileged` in the mode hostDriver. Which user is not
root is the image's affair (65532), or OpenShift's, which gives each namespace its own.
*/}}
{{- define "k8s-gpu-mcp.securityContext" -}}
readOnlyRootFilesystem: true
{{- if eq .Values.gpuAccess.mode "hostDriver" }}
privileged: true
{{- else }}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
  {{- if include "k8s-gpu-mcp.kernelLog" . }}
  add: [SYSLOG]
  {{- end }}
{{- end }}
{{- if include "k8s-gpu-mcp.root" . }}
runAsUser: 0
runAsGroup: 0
{{- else }}
runAsNonRoot: true
{{- end }}
{{- end }}

{{- define "k8s-gpu-mcp.resources" -}}
{{- $resources := deepCopy .Values.resources }}
{{- if eq .Values.gpuAccess.mode "dra" }}{{ $_ := set $resources "claims" (list (dict "name" "gpus")) }}{{ end }}
{{- toYaml $resources }}
{{- end }}

{{/* /tmp: the agent unpacks its NVML binding (1.1 MB) there, as programs compiled by Bun do. */}}
{{- define "k8s-gpu-mcp.volumeMounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if include "k8s-gpu-mcp.podResources" . }}
- {name: pod-resources, mountPath: /var/lib/kubelet/pod-resources, readOnly: true}
{{- end }}
{{- if include "k8s-gpu-mcp.history" . }}
- {name: history, mountPath: /var/lib/k8s-gpu-mcp}
{{- end }}
{{- if eq .Values.gpuAccess.mode "hostDriver" }}
- {name: driver, mountPath: {{ include "k8s-gpu-mcp.driverRoot" . }}, readOnly: true, mountPropagation: HostToContainer}
- {name: devices, mountPath: /dev}
{{- end }}
{{- if include "k8s-gpu-mcp.exposed" . }}
- {name: token, mountPath: /etc/k8s-gpu-mcp/token, readOnly: true}
{{- if .Values.expose.tls.secretName }}
- {name: tls, mountPath: /etc/k8s-gpu-mcp/tls, readOnly: true}
{{- end }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "k8s-gpu-mcp.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 16Mi}
{{- if include "k8s-gpu-mcp.podResources" . }}
- name: pod-resources
  hostPath: {path: {{ .Values.podResources.path | quote }}, type: Directory}
{{- end }}
{{- if include "k8s-gpu-mcp.history" . }}
- name: history
  {{- with .Values.history.path }}
  hostPath: {path: {{ . | quote }}, type: DirectoryOrCreate}
  {{- else }}
  emptyDir: {sizeLimit: 32Mi}
  {{- end }}
{{- end }}
{{- if eq .Values.gpuAccess.mode "hostDriver" }}
- name: driver
  hostPath: {path: {{ .Values.gpuAccess.hostDriver.root | quote }}, type: Directory}
- name: devices
  hostPath: {path: /dev, type: Directory}
{{- end }}
{{- if include "k8s-gpu-mcp.exposed" . }}
- name: token
  secret: {secretName: {{ include "k8s-gpu-mcp.tokenSecretName" . | quote }}, items: [{key: token, path: token}]}
{{- with .Values.expose.tls.secretName }}
- name: tls
  secret: {secretName: {{ . | quote }}, items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
