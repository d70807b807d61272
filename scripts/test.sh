#!/usr/bin/env bash
# Every test. `test.sh rust`, `test.sh tools`, `test.sh web` or `test.sh browser` runs one kind.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

rust_tests() {
  local profile=default
  if [ -n "${CI:-}" ]; then profile=ci; fi
  if has cargo-nextest; then
    cargo nextest run --workspace ${locked[@]+"${locked[@]}"} --profile "$profile"
  else
    cargo test --workspace --lib --bins --tests ${locked[@]+"${locked[@]}"}
  fi
}

doc_tests() { cargo test --workspace --doc ${locked[@]+"${locked[@]}"}; }

tool_tests() { node --test scripts/deps/*.test.mjs; }

web_tests() {
  scripts/web.sh install && npm --prefix web test
}

# The browsers talk to the real server. Built together with the tests, it shares every dependency with them: on its own
# it would have other features, and everything be compiled once more.
browser_tests() {
  cargo build --workspace --bins --tests ${locked[@]+"${locked[@]}"} &&
    STUDYHALL_BIN="${STUDYHALL_BIN:-$(realpath "$target_directory")/debug/studyhall}" npm --prefix web run e2e
}

case "${1:-all}" in
  rust | all) scripts/setup.sh run ;;&
  browser | all) scripts/setup.sh test ;;&
  # A node that they brought along is on the path from here on.
  *) source scripts/lib.sh ;;&
  rust | browser | all) scripts/web.sh build ;;&
  tools | all) step "tests of the tools" tool_tests ;;&
  rust | all) step "Rust documentation tests" doc_tests ;;&
  rust | all) step "Rust tests" rust_tests ;;&
  web | all) step "web tests" web_tests ;;&
  browser | all) step "browser tests" browser_tests ;;&
  rust | tools | web | browser | all) ;;
  *) fail "usage: scripts/test.sh [rust|tools|web|browser]" ;;
esac
