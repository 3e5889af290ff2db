# The agent, as it is released: docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=… \
#   --label org.opencontainers.image.revision=$(git rev-parse HEAD)
# The programs come from `npm run build -- --all`; nothing runs in here, so either platform is built on any machine.

# Any base with glibc, libstdc++ and libgcc_s.
ARG BASE=gcr.io/distroless/cc-debian12
ARG TARGETARCH

FROM scratch AS agent-amd64
COPY dist/agent-linux-x64 /agent

FROM scratch AS agent-arm64
COPY dist/agent-linux-arm64 /agent

FROM agent-${TARGETARCH} AS agent

FROM ${BASE}
ARG VERSION=unreleased
LABEL org.opencontainers.image.title="k8s-gpu-mcp" \
      org.opencontainers.image.description="The agent of k8s-gpu-mcp: it answers for the GPUs of the node it runs on." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"
COPY LICENSE /usr/share/doc/k8s-gpu-mcp/copyright
COPY --from=agent /agent /agent
# In numbers, so that a kubelet sees that it is not root. Where the agent has to be, the chart says so.
USER 65532:65532
ENTRYPOINT ["/agent"]
