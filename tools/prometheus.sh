#!/bin/sh
# Prints the folder of prometheus and promtool: the system's own, else those of Debian's package, unpacked into .assets and
# installed nowhere. Nothing but `make observability` needs them.
set -eu
cd "$(dirname "$0")/.."
if command -v promtool >/dev/null 2>&1 && command -v prometheus >/dev/null 2>&1; then
    dirname "$(command -v promtool)"
    exit
fi
folder=.assets/prometheus
if [ ! -x $folder/usr/bin/promtool ]; then
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    (cd "$scratch" && apt-get download -qq prometheus && dpkg -x prometheus_*.deb files) >&2 || {
        echo "observability: neither prometheus and promtool nor Debian's package of them is here: install them" >&2
        exit 1
    }
    rm -rf $folder
    mkdir -p .assets
    mv "$scratch/files" $folder
fi
echo "$folder/usr/bin"
