#!/bin/sh
# Makes the Node client: its packages from package-lock.json, the stubs, the compiled package, and the archive that other
# agencies install, in dist. Node.js comes with the test packages of requirements.lock, so none needs to be installed. Safe
# to run again: it is skipped while a checksum of all that it is made from holds.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export PATH
client=client/node
stamp=$client/node_modules/.platewarden

fail() {
    printf '%s\n' "client-node: $*" >&2
    exit 1
}

sum_of_all() {
    find protos/alpr/alerts protos/alpr/type $client/src $client/examples -name '*.proto' -o -name '*.ts' -not -path '*/gen/*' \
        -o -name '*.js' | LC_ALL=C sort | xargs cksum
    cksum $client/package.json $client/package-lock.json $client/tsconfig*.json $client/README.md tools/node_stubs.py \
        tools/client_node.sh LICENSE requirements.lock
}

if command -v flock >/dev/null 2>&1; then
    exec 9>.setup.lock
    flock 9
fi
wanted=$(sum_of_all | cksum)
if [ -f $stamp ] && [ "$(cat $stamp)" = "$wanted" ] && [ -f $client/dist/index.js ]; then exit 0; fi
echo "client-node: making the Node client" >&2
(cd $client && npm ci --silent) || fail "the packages could not be installed: is the network there?"
.venv/bin/python tools/node_stubs.py
rm -rf $client/dist
(cd $client && npm run --silent build && npm run --silent check) || fail "it does not compile."
cp LICENSE $client/LICENSE
mkdir -p dist
(cd $client && npm pack --silent --pack-destination ../../dist >/dev/null) || fail "the archive could not be made."
rm $client/LICENSE
printf '%s\n' "$wanted" >$stamp
