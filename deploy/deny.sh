#!/usr/bin/env bash
# Licences, bans and sources of all dependencies, by cargo-deny where it is installed.
set -euo pipefail
if ! cargo deny --version >/dev/null 2>&1; then
    echo "skipped: cargo-deny is not installed (cargo install cargo-deny)" >&2
    exit 0
fi
cargo deny --locked check bans licenses sources
