# Sourced by the checks of Go and Rust code: every step and every test counts, `verdict` closes with 'N passed, N failed'.
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

gofmt_is_content() {
  local files
  files=$(gofmt -l .)
  if [[ -n $files ]]; then
    echo "gofmt would change: $files"
    return 1
  fi
}

# Each test counts for itself.
go_tests() {
  count_tests '/^--- PASS/ {p++} /^--- FAIL/ {f++} END {print p + 0, f + 0}' go test -p 1 -count=1 -v ./...
}

# cargo_tests ARGUMENT...
cargo_tests() {
  count_tests '/^test result:/ {p += $4; f += $6} END {print p + 0, f + 0}' cargo test --locked "$@"
}

# count_tests PROGRAM COMMAND...: the awk program prints passed and failed of the command's output. What does not even build fails too.
count_tests() {
  local program=$1 log code=0 ran broken
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 || code=$?
  read -r ran broken < <(awk "$program" "$log")
  if ((code != 0)); then
    grep -v '^=== ' "$log"
    if ((broken == 0)); then broken=1; fi
  fi
  echo "      tests: $ran passed, $broken failed"
  passed=$((passed + ran))
  failed=$((failed + broken))
  rm -f "$log"
}

verdict() {
  echo "$passed passed, $failed failed"
  ((failed == 0))
}
