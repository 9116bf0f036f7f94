#!/usr/bin/env bash
# Writes internal/shoppb anew; needs protoc, protoc-gen-go and protoc-gen-go-grpc on the path.
set -euo pipefail
cd "$(dirname "$0")/.."
protoc --proto_path=proto --go_out=. --go_opt=module=tailspan/shop --go-grpc_out=. --go-grpc_opt=module=tailspan/shop proto/shop.proto
