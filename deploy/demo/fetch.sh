#!/usr/bin/env bash
# Gets the demo's data: a PyPI wheel, pinned by its hash. usage: fetch.sh DIRECTORY
set -euo pipefail
directory=$1
if compgen -G "$directory/*.whl" >/dev/null; then
    exit 0
fi
here=$(dirname "$0")
/usr/bin/python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    -r "$here/requirements.txt" -d "$directory"
