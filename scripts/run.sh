#!/usr/bin/env bash
# Builds the web client and the server, as far as they changed, and runs the server in the foreground.
# Arguments go to the server: scripts/run.sh --help
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

scripts/setup.sh run
scripts/web.sh build
cargo build --release --package server ${locked[@]+"${locked[@]}"}
exec "$target_directory/release/studyhall" "$@"
