#!/usr/bin/env bash
# Whether what deploy/ has can be deployed: settings, Helm chart, manifests, compose, Collector, systemd. Ends with
# 'N passed, N failed'. Needs Node, Go 1.26, promtool and systemd-analyze; builds its tools from the Go module proxy into a cache folder
# (DEPLOY_TOOLS). `--write` writes the Kustomize base from the chart first.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/counting.sh
export PATH="$PWD/node_modules/.bin:$PATH"

# Pinned: the Go checksum database holds them to what they were.
HELM=helm.sh/helm/v3/cmd/helm@v3.22.0
KUBECONFORM=github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
KUSTOMIZE=sigs.k8s.io/kustomize/kustomize/v5@v5.8.1
# Only files of these are read: the OpenAPI documents of Kubernetes, and the operator's custom resources.
OPENAPI=sigs.k8s.io/kubectl-validate@v0.0.4
OPERATOR=github.com/prometheus-operator/prometheus-operator@v0.85.0
KUBERNETES_VERSIONS='1.27 1.30'

tools=${DEPLOY_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/tailspan-deploy-tools}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$tools"

# `step` asks each function how it ended, and bash does not stop inside one that is asked: hence `|| return`.

# tool NAME MODULE@VERSION: built once for each version.
tool() {
  local built="$tools/$1-${2##*@}"
  [[ -x $built ]] && return
  GOBIN="$work/bin" go install "$2" || return
  mv "$work/bin/$1" "$built"
}
helm() { "$tools/helm-${HELM##*@}" "$@" 2> >(grep -v 'found symbolic link' >&2); }
kubeconform() { "$tools/kubeconform-${KUBECONFORM##*@}" "$@"; }
module_folder() { go mod download -json "$1" | node -p 'JSON.parse(require("fs").readFileSync(0, "utf8")).Dir'; }

render() { helm template tailspan deploy/helm/tailspan --namespace tailspan --kube-version 1.30 "$@"; }
base() {
  echo '# Written by deploy/check.sh --write from deploy/helm/tailspan. Change the chart, or patch this.'
  render | sed '/^# Source: /d'
}

everything='serviceMonitor.enabled=true,prometheusRule.enabled=true,dashboards.enabled=true,autoscaling.enabled=true,persistence.enabled=true'
render_all() {
  render >"$work/default.yaml" || return
  render --set "$everything" >"$work/everything.yaml" || return
  render --set replicas=3,memoryMiB=4096,networkPolicy.enabled=false,podDisruptionBudget.enabled=false \
    --set serviceMonitor.enabled=true,serviceMonitor.nativeHistograms=false,topologySpread=false >"$work/replicas.yaml" || return
  render --values deploy/check/secured-values.yaml >"$work/secured.yaml"
}
refuses_bad_values() {
  ! render --set memoryMiB=100 2>/dev/null && ! render --set memoryMb=1024 2>/dev/null
}

# Keys that are not there, wrong types, and manifests of kinds without a schema are errors.
make_schemas() {
  local openapi operator version
  openapi=$(module_folder "$OPENAPI") || return
  operator=$(module_folder "$OPERATOR") || return
  for version in $KUBERNETES_VERSIONS; do
    mkdir -p "$work/schemas/$version"
    node deploy/check/kubernetes-schemas.ts "$work/schemas/$version" "$openapi/pkg/openapiclient/builtins/$version" \
      "$operator"/example/prometheus-operator-crd/*_{servicemonitors,prometheusrules}.yaml || return
  done
}
conforms() {
  local version
  for version in $KUBERNETES_VERSIONS; do
    kubeconform -summary -schema-location "$work/schemas/$version/{{.ResourceKind}}{{.KindSuffix}}.json" "$@" || return
  done
}
refuses_bad_manifests() {
  sed 's/enableServiceLinks/enabledServiceLinks/' "$work/default.yaml" >"$work/bad.yaml"
  ! conforms "$work/bad.yaml" >/dev/null
}

# Neither open nor spoken to in the clear.
secured_is_closed() {
  grep -q 'insecure: false' "$work/secured.yaml" && ! grep -qE 'scheme: (HTTP|http)( |$)' "$work/secured.yaml"
}

base_is_current() { base | diff - deploy/kubernetes/tailspan.yaml; }
kustomize_builds() {
  tool kustomize "$KUSTOMIZE" || return
  "$tools/kustomize-${KUSTOMIZE##*@}" build deploy/kubernetes >"$work/kustomized.yaml" || return
  conforms "$work/kustomized.yaml"
}

# The settings that the chart derives, as the service reads them.
chart_settings() {
  local file
  for file in default everything replicas secured; do
    node deploy/check/chart-settings.ts <"$work/$file.yaml" >"$work/settings.yaml" || return
    node src/main.ts check-config "$work/settings.yaml" || return
  done
}

compose_file() {
  (cd deploy/check/compose && go build -o "$work/check-compose" .) || return
  "$work/check-compose" deploy/compose/compose.yaml
}
# The names of the files are those that they have in the container.
compose_prometheus() {
  cp deploy/compose/prometheus.yaml deploy/prometheus/tailspan.rules.yaml "$work/"
  promtool check config "$work/prometheus.yaml"
}
collector_file() {
  (cd deploy/check/collector && go build -o "$work/check-collector" .) || return
  TAILSPAN_ENDPOINT=tailspan:4317 BACKEND_ENDPOINT=tempo:4317 \
    "$work/check-collector" validate --config=deploy/collector/beside.yaml
}
# A part of the tail sampling processor cannot be had from the module proxy: the rest is checked without it.
behind_file() {
  node deploy/check/without-tail-sampling.ts <deploy/collector/behind.yaml >"$work/behind-collector.yaml" || return
  BACKEND_ENDPOINT=tempo:4317 "$work/check-collector" validate --config="$work/behind-collector.yaml"
}
# The loadbalancing exporter cannot be had from the module proxy: the rest is checked with an ordinary one in its place.
replicas_file() {
  node deploy/check/without-load-balancing.ts <deploy/collector/replicas.yaml >"$work/replicas-collector.yaml" || return
  "$work/check-collector" validate --config="$work/replicas-collector.yaml"
}

# With this Node as the one of the unit: the file must not depend on where the machine that checks it has Node.
systemd_unit() {
  mkdir -p "$work/units"
  sed "s#/usr/bin/node#$(command -v node)#" deploy/systemd/tailspan.service >"$work/units/tailspan.service"
  systemd-analyze verify "$work/units/tailspan.service"
}
# 0 is best, 10 worst; a unit without hardening has 9.6.
systemd_exposure() { systemd-analyze security --offline=yes --threshold=20 deploy/systemd/tailspan.service; }

step 'tool: helm' tool helm "$HELM"
if [[ ${1:-} == --write ]]; then base >deploy/kubernetes/tailspan.yaml; fi
step 'tool: kubeconform' tool kubeconform "$KUBECONFORM"
step 'chart: helm lint' helm lint --strict deploy/helm/tailspan
step 'chart: helm template' render_all
step 'chart: refuses values that cannot be' refuses_bad_values
step 'chart: its settings pass check-config' chart_settings
step 'chart: with credentials it is not open' secured_is_closed
step 'manifests: schemas' make_schemas
step 'manifests: kubeconform' conforms "$work"/{default,everything,replicas,secured}.yaml
step 'manifests: kubeconform refuses a wrong one' refuses_bad_manifests
step 'kustomize: the base is the chart' base_is_current
step 'kustomize: builds' kustomize_builds
step 'compose: settings pass check-config' node src/main.ts check-config deploy/compose/tailspan.yaml
step 'compose: reads as docker compose config would' compose_file
step 'compose: promtool check config' compose_prometheus
step 'collector: validate beside.yaml' collector_file
step 'collector: validate behind.yaml, its tail sampler aside' behind_file
step 'collector: validate replicas.yaml, its load balancer aside' replicas_file
step 'systemd: analyze verify' systemd_unit
step 'systemd: exposure of at most 2.0' systemd_exposure
verdict
