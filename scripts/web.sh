#!/usr/bin/env bash
# `web.sh install`: the web client's packages, when its lock file changed.
# `web.sh build`: web/dist, when a source changed. Untouched otherwise, so that the server needs no new build.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

[ -f web/package-lock.json ] || fail "web/package-lock.json is missing: this is no complete checkout."

# Marks stand in node_modules: gone with it, and never served.
readonly lock_mark=web/node_modules/.studyhall-lock
readonly build_mark=web/node_modules/.studyhall-build

lock_sum() { sha256sum <web/package-lock.json; }

# Everything that a build reads: the sources by name and content, not the tests' results or what was built.
source_sum() {
  find web -type d \( -name node_modules -o -path web/dist -o -path web/e2e -o -name test-results \) -prune \
    -o -type f ! -name '*.test.ts' -print0 | sort -z | xargs -0 sha256sum | sha256sum
}

install() {
  if [ "$(cat "$lock_mark" 2>/dev/null)" = "$(lock_sum)" ]; then return; fi
  say "npm ci"
  npm --prefix web ci --no-audit --no-fund
  lock_sum >"$lock_mark"
}

build() {
  install
  local sum
  sum=$(source_sum)
  if [ -f web/dist/index.html ] && [ "$(cat "$build_mark" 2>/dev/null)" = "$sum" ]; then return; fi
  say "vite build"
  npm --prefix web run --silent build
  printf '%s\n' "$sum" >"$build_mark"
}

case "${1:-}" in
  install) install ;;
  build) build ;;
  *) fail "usage: scripts/web.sh install|build" ;;
esac
