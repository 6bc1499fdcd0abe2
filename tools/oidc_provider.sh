#!/bin/sh
# Installs the OpenID Connect provider that tests sign people in at, from its package-lock.json. Node.js comes with the test
# packages of requirements.lock. Safe to run again: it is skipped while a checksum of what it is made from holds.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export PATH
folder=tests/support/oidc
stamp=$folder/node_modules/.platewarden

if command -v flock >/dev/null 2>&1; then
    exec 9>.setup.lock
    flock 9
fi
wanted=$(cksum $folder/package.json $folder/package-lock.json $folder/.npmrc tools/oidc_provider.sh requirements.lock | cksum)
if [ -f $stamp ] && [ "$(cat $stamp)" = "$wanted" ]; then exit 0; fi
echo "oidc-provider: installing the provider that tests sign in at" >&2
(cd $folder && npm ci --silent) || {
    echo "oidc-provider: the packages could not be installed: is the network there?" >&2
    exit 1
}
printf '%s\n' "$wanted" >$stamp
