#!/usr/bin/env bash
# Judges the Kubernetes manifests, by schemas that it gets from PyPI once. usage: test.sh DIRECTORY [BINARY]
set -euo pipefail
directory=$1
binary=${2:-}
here=$(dirname "$0")
if [[ ! -e $directory/ready ]]; then
    mkdir -p "$directory"
    if ! {
        /usr/bin/python3 -m venv "$directory/venv" &&
            "$directory/venv/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate==1.37.0
    } >"$directory/log" 2>&1; then
        echo "SKIPPED: the Kubernetes manifests are not judged: $(tail -n 1 "$directory/log")" >&2
        exit 0
    fi
    touch "$directory/ready"
fi
"$directory/venv/bin/python" -B "$here/validate.py" "$here/../../deploy/kubernetes" "$binary"
