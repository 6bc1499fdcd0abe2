#!/bin/sh
# A browser for `make browser-test`: the Chromium that is here, else the one of Debian's packages.
set -eu
if [ -n "${PW_TEST_CHROMIUM:-}" ]; then exit 0; fi
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "browser-test: installing Chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
    exit 0
fi
echo "browser-test: install Chromium (for instance: sudo apt-get install chromium), or name one in PW_TEST_CHROMIUM" >&2
exit 1
