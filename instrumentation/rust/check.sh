#!/bin/sh
# Formatting, lints, tests and documentation of the Rust companion crate.
set -eu
cd "$(dirname "$0")"
cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
# Features on their own, so that what they leave out is not needed, and all of them, for the older release lines.
for features in "" opentelemetry tokio tower net; do
  cargo clippy --locked --lib --no-default-features --features "$features" -- -D warnings
done
cargo clippy --locked --lib --all-features -- -D warnings
cargo test --locked
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
