# Shared by the scripts beside it; sourced, never run. Leaves the caller in the root of the project.
# shellcheck shell=bash disable=SC2034

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# In CI the lock files are law; at a desk cargo may complete Cargo.lock after an edit of a manifest.
locked=()
if [ -n "${CI:-}" ]; then locked=(--locked); fi

# Where cargo builds.
target_directory="${CARGO_TARGET_DIR:-target}"

# A node that an earlier run had to bring along.
if [ -x .tools/node_modules/.bin/node ]; then PATH="$PWD/.tools/node_modules/.bin:$PATH"; fi

say() { printf '\n\033[1m── %s\033[0m\n' "$*"; }

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# step NAME COMMAND…: runs it under a headline and tells how long it took. A function given here joins its commands
# with && because a caller may be asking `step … ||`, and then bash stops at no failure within.
step() {
  local name=$1 started=$SECONDS code=0
  shift
  say "$name"
  "$@" || code=$?
  printf '(%s: %d s)\n' "$name" $((SECONDS - started))
  return $code
}
