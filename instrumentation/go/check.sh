#!/usr/bin/env bash
# Everything that must hold of the Go companion library: format, vet, tests. Closes with 'N passed, N failed'. About a minute on two cores.
set -uo pipefail
cd "$(dirname "$0")"
passed=0
failed=0

# step NAME COMMAND...: its output is shown only where it fails.
step() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok    $name"
    passed=$((passed + 1))
  else
    echo "FAIL  $name"
    printf '%s\n' "$output"
    failed=$((failed + 1))
  fi
}

formatted() {
  local files
  files=$(gofmt -l .)
  if [[ -n $files ]]; then
    echo "gofmt would change: $files"
    return 1
  fi
}

# Each test counts for itself: the lines are those of go test -v.
tests() {
  local log code=0
  log=$(mktemp)
  go test -p 1 -count=1 -v ./... >"$log" 2>&1 || code=$?
  local ran broken
  ran=$(grep -c '^--- PASS' "$log" || true)
  broken=$(grep -c '^--- FAIL' "$log" || true)
  if ((code != 0)); then
    grep -v '^=== ' "$log"
    if ((broken == 0)); then broken=1; fi
  fi
  echo "      tests: $ran passed, $broken failed"
  passed=$((passed + ran))
  failed=$((failed + broken))
  rm -f "$log"
}

step 'gofmt' formatted
step 'go vet' go vet ./...
step 'go mod tidy' go mod tidy -diff
tests
echo "$passed passed, $failed failed"
((failed == 0))
