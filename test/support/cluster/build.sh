#!/usr/bin/env bash
# Builds one program of the test cluster from its Go module: build.sh PROGRAM VERSION OUTPUT
#
# PROGRAM  etcd, kwok, helm, kubectl, kubelet, kube-apiserver, kube-controller-manager, kube-proxy, kube-router
#          or kube-scheduler
# VERSION  the module version, such as v1.34.4
# OUTPUT   the file to make; it appears complete or not at all
#
# Needs Go, bash and a reachable Go module proxy (whatever `go env GOPROXY` says); no root, no C compiler.
set -euo pipefail

program=$1 version=$2 output=$3

mkdir -p "$(dirname "$output")"
exec 9>"$(dirname "$output")/.lock"
flock 9 # one build at a time on a machine, and none twice
if [[ -x $output ]]; then exit 0; fi

work=$(mktemp -d "${TMPDIR:-/tmp}/k8s-gpu-mcp-build.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off

# A module of our own around the program: `go install` refuses modules that carry replace lines, and these do.
wrap() { # wrap MODULE PACKAGE
  go mod init example.invalid/build >/dev/null 2>&1
  printf '//go:build tools\n\npackage build\n\nimport _ "%s"\n' "$2" >tools.go
  go mod edit -require="$1@$version"
}

compile() { # compile PACKAGE LINKER_FLAGS
  go mod tidy -e >tidy.log 2>&1 || true # complains about packages that only the module's own tests need
  go build -trimpath -ldflags "-s -w $2" -o program "$1" || { tail -n 20 tidy.log >&2; exit 1; }
}

case $program in
etcd)
  wrap go.etcd.io/etcd/server/v3 go.etcd.io/etcd/server/v3
  compile go.etcd.io/etcd/server/v3 ''
  ;;
kwok)
  wrap sigs.k8s.io/kwok sigs.k8s.io/kwok/cmd/kwok
  compile sigs.k8s.io/kwok/cmd/kwok ''
  ;;
helm)
  wrap helm.sh/helm/v3 helm.sh/helm/v3/cmd/helm
  compile helm.sh/helm/v3/cmd/helm "-X helm.sh/helm/v3/internal/version.version=$version"
  ;;
kube-router) # as k3s has it: the fork keeps the module's own name
  wrap github.com/cloudnativelabs/kube-router/v2 github.com/cloudnativelabs/kube-router/v2/cmd/kube-router
  go mod edit -replace="github.com/cloudnativelabs/kube-router/v2=github.com/k3s-io/kube-router/v2@$version"
  compile github.com/cloudnativelabs/kube-router/v2/cmd/kube-router ''
  ;;
kubectl | kubelet | kube-apiserver | kube-controller-manager | kube-proxy | kube-scheduler)
  wrap k8s.io/kubernetes "k8s.io/kubernetes/cmd/$program"
  # k8s.io/kubernetes v1.X.Y requires its staging modules at v0.0.0; they are published as v0.X.Y.
  staging=v0.${version#v1.}
  gomod=$(go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/^[[:space:]]*"GoMod": "\(.*\)",*$/\1/p')
  sed -n 's/^[[:space:]]*\(k8s\.io\/[a-z-]*\) v0\.0\.0\( .*\)*$/\1/p' "$gomod" | sort -u | while read -r module; do
    go mod edit -replace="$module=$module@$staging"
  done
  minor=${version#v1.}
  stamp=k8s.io/component-base/version
  compile "k8s.io/kubernetes/cmd/$program" \
    "-X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*}"
  ;;
*)
  echo "build.sh: unknown program '$program'" >&2
  exit 2
  ;;
esac

mv program "$output.$$" # may cross file systems, so not yet under the final name
mv "$output.$$" "$output"
