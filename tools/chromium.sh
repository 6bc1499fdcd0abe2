#!/bin/sh
# A browser for `make browser-test`: the Chromium that is here, else the one of Debian's packages, else the one of npm.
set -eu
cd "$(dirname "$0")/.."
if [ -n "${PW_TEST_CHROMIUM:-}" ] || [ -x .assets/chromium/chromium ]; then exit 0; fi
for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "browser-test: installing Chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq || true
    for name in chromium-headless-shell chromium; do
        if apt-get install -y -qq --no-install-recommends "$name" >/dev/null; then exit 0; fi
    done
fi
echo "browser-test: taking the Chromium of npm"
(cd tools/chromium && PATH="../../.venv/bin:$PATH" npm ci --silent)
.venv/bin/node tools/chromium/unpack.mjs .assets/chromium
