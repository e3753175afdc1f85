#!/usr/bin/env bash
# Installs the system packages that building, testing and the demo need, where they are missing (Debian 12), and those
# that are named beside them. usage: bootstrap.sh [PACKAGE]...
set -euo pipefail

packages=(
    build-essential pkg-config libclang-dev       # bindgen of GDAL's headers
    libgdal-dev gdal-bin                          # reading and writing rasters; PROJ comes with it
    protobuf-compiler libprotobuf-dev             # the gRPC services
    python3-gdal python3-numpy python3-yaml       # the tests' oracle, the demo's data and picture
    etcd-server                                   # the tests of several coordinators
    python3-pip python3-venv                      # fetch the demo's data, and what judges STAC
    "$@"
)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || echo none)
    [[ $status == 'install ok installed' ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi

echo "installing: ${missing[*]}" >&2
as_root=()
if ((EUID != 0)); then
    as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
