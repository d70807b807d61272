#!/usr/bin/env bash
# What a machine can see without running the program. Everything is checked before the first failure is reported,
# so that one run shows all there is to mend.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

rust_format() {
  cargo fmt --all --check && { [ ! -f fuzz/Cargo.toml ] || cargo fmt --manifest-path fuzz/Cargo.toml --check; }
}

rust_lints() { cargo clippy --workspace --all-targets ${locked[@]+"${locked[@]}"} -- -D warnings; }

rust_documentation() {
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet ${locked[@]+"${locked[@]}"}
}

web_check() { npm --prefix web run check; }

failed=()
try() { step "$@" || failed+=("$1"); }

scripts/setup.sh check
# A node that it brought along is on the path from here on.
source scripts/lib.sh
scripts/web.sh build
try "Rust format" rust_format
try "Rust lints" rust_lints
try "Rust documentation" rust_documentation
try "dependencies" node scripts/check-deps.mjs
try "walls between the crates" node scripts/check-walls.mjs
try "web client" web_check

if [ ${#failed[@]} -gt 0 ]; then fail "Failed: $(printf '%s; ' "${failed[@]}")"; fi
say "All checks passed."
