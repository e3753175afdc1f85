#!/usr/bin/env bash
# Makes a Python environment with what judges STAC, and gets the schemas, both from PyPI. usage: prepare.sh DIRECTORY
# Prints the two variables that the tests ask for; nothing, with a word on stderr, where PyPI cannot be reached.
set -euo pipefail
directory=$1
here=$(dirname "$0")
if [[ ! -e $directory/ready ]]; then
    if ! {
        /usr/bin/python3 -m venv "$directory/venv" &&
            "$directory/venv/bin/pip" install --quiet --disable-pip-version-check jsonschema pyyaml pystac &&
            "$directory/venv/bin/python" "$here/validate.py" --fetch "$directory/schemas"
    } >"$directory.log" 2>&1; then
        echo "STAC will not be judged by its schemas: $(tail -n 1 "$directory.log")" >&2
        exit 0
    fi
    touch "$directory/ready"
fi
echo "STAC_PYTHON=$directory/venv/bin/python STAC_SCHEMAS=$directory/schemas"
