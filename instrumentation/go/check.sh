#!/usr/bin/env bash
# Everything that must hold of the Go companion library: format, vet, tests. Closes with 'N passed, N failed'. About a minute on two cores.
set -uo pipefail
cd "$(dirname "$0")"
source ../../.ci/counting.sh

step 'gofmt' gofmt_is_content
step 'go vet' go vet ./...
step 'go mod tidy' go mod tidy -diff
go_tests
verdict
