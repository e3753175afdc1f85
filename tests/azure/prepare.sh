#!/usr/bin/env bash
# Gets the Azure Blob server of the tests, Azurite: an npm package, of this version and with what it needs as of this day.
# usage: prepare.sh DIRECTORY
# Prints the path of the program, for node; nothing, with a word on stderr, where there is no npm or it cannot be reached.
set -euo pipefail
directory=$1
version=3.35.0 # the last that Debian's node runs
day=2026-06-01
mkdir -p "$directory"
# Tests ask for it at once.
exec 9>"$directory/lock"
flock 9
program=node_modules/azurite/dist/src/blob/main.js
if [[ ! -f $directory/$version/$program ]]; then
    rm -rf "$directory/making"
    if ! npm install --prefix "$directory/making" --before "$day" --ignore-scripts --no-save --no-audit --no-fund \
        "azurite@$version" >"$directory/log" 2>&1; then
        echo "no Azure Blob server to test against: $(tail -n 1 "$directory/log")" >&2
        exit 0
    fi
    mv "$directory/making" "$directory/$version"
fi
echo "$directory/$version/$program"
