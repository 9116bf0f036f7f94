#!/usr/bin/env bash
# The shop's own Go and Rust code: format, vet, tests. Closes with 'N passed, N failed'.
set -uo pipefail
cd "$(dirname "$0")/go"
source ../../../.ci/counting.sh

step 'gofmt' gofmt_is_content
step 'go vet' go vet ./...
step 'go build' go build -p 1 -tags companion -o bin/ ./cmd/...
go_tests
cd ../pricing
step 'cargo fmt' cargo fmt --check
cargo_tests --quiet
verdict
