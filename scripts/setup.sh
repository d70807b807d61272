#!/usr/bin/env bash
# Sees that what a target needs is there: `setup.sh run`, `setup.sh check` or `setup.sh test`.
# As root on Debian or Ubuntu it installs what lacks; elsewhere it names what to install, and stops.
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

# What Vite and the linters run on; Debian 12 has an older one. Odd and early releases between are refused by them.
readonly NODE_AT_LEAST="20.19, 22.13 or 24"

can_install() { [ "$(id -u)" = 0 ] && has apt-get; }

# Installs Debian packages, after one update of the list a run.
apt_updated=
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  if [ -z "$apt_updated" ]; then
    say "apt-get update"
    apt-get update -qq
    apt_updated=yes
  fi
  say "apt-get install $*"
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# need PROGRAM PACKAGE WHY: the program is on the path, or its package gets installed.
need() {
  local program=$1 package=$2 why=$3
  has "$program" && return
  can_install || fail "Missing: $program ($why). Install $package, then run this again."
  apt_install "$package"
  has "$program" || fail "Missing: $program ($why), although $package is installed."
}

need_rust() {
  has cargo || fail "Missing: Rust (it builds the server). Install it from https://rustup.rs, then run this again."
  need cc build-essential "a C compiler builds the cryptography"
}

# component PROGRAM NAME: a part of the Rust toolchain that a minimal installation leaves out.
component() {
  has "$1" && return
  if has rustup; then rustup component add "$2" || true; fi
  has "$1" || fail "Missing: $1 (a part of Rust). Install it with: rustup component add $2"
}

node_is_new_enough() {
  has node || return 1
  local major minor
  IFS=. read -r major minor _ <<<"$(node --version | tr -d v)"
  case "$major" in
    20) [ "$minor" -ge 19 ] ;;
    22) [ "$minor" -ge 13 ] ;;
    *) [ "$major" -ge 24 ] ;;
  esac
}

need_node() {
  node_is_new_enough && has npm && return
  if ! has npm; then
    can_install || fail "Missing: Node.js $NODE_AT_LEAST or newer with npm (it builds the web client). Install it from https://nodejs.org"
    apt_install nodejs npm
  fi
  node_is_new_enough && return
  say "Node.js $NODE_AT_LEAST or newer, into .tools"
  npm install --silent --no-save --prefix .tools node@22 ||
    fail "Node.js $(node --version) is too old: $NODE_AT_LEAST or newer is needed. Install it from https://nodejs.org"
  PATH="$PWD/.tools/node_modules/.bin:$PATH"
  hash -r
  node_is_new_enough || fail "Node.js $(node --version) is too old: $NODE_AT_LEAST or newer is needed. Install it from https://nodejs.org"
}

need_browsers() {
  if ! has chromium && [ -z "${STUDYHALL_CHROMIUM:-}" ]; then
    need chromium chromium "the browser tests run in it; or name another one in STUDYHALL_CHROMIUM"
  fi
  # Firefox widens the tests and is not to be had everywhere: its tests say when they are skipped.
  if ! has firefox-esr && can_install && [ -n "$(apt-cache policy firefox-esr 2>/dev/null)" ]; then
    apt_install firefox-esr || printf 'No firefox-esr here: its tests will be skipped.\n'
  fi
}

# Thin and lossy links are laid by root alone; elsewhere their tests say that they are skipped.
need_network_tools() {
  can_install || return 0
  if ! has ip || ! has tc; then apt_install iproute2 || printf 'No iproute2 here: the tests of thin links will be skipped.\n'; fi
  if ! has nft; then apt_install nftables || printf 'No nftables here: the tests of thin links will be skipped.\n'; fi
}

# The tests start one of their own, on a free port; Debian keeps its programs off the path.
need_postgresql() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
  has initdb && return
  can_install || fail "Missing: PostgreSQL's initdb and postgres (the tests run on it too). Install postgresql, then run this again."
  apt_install postgresql
}

case "${1:-}" in
  run)
    need_rust
    need_node
    ;;
  check)
    need_rust
    component cargo-fmt rustfmt
    component cargo-clippy clippy
    need_node
    ;;
  test)
    need_rust
    need_node
    need_browsers
    need_network_tools
    need_postgresql
    ;;
  *) fail "usage: scripts/setup.sh run|check|test" ;;
esac
