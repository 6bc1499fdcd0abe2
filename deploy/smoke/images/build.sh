#!/bin/sh
# Builds the stand-ins with podman: PYTHON_IMAGE=name@sha256:... deploy/smoke/images/build.sh
# BUILDER and BUILD_ARGS as for deploy/images/build.sh.
set -eu
cd "$(dirname "$0")/../../.."
: "${PYTHON_IMAGE:?name the base: PYTHON_IMAGE=name@sha256:...}"
# Locked by package-lock.json; npm comes with the project's own packages.
(cd deploy/smoke/images && PATH="$PWD/../../../.venv/bin:$PATH" npm ci --silent)
for image in ${*:-postgres store identity}; do
    # shellcheck disable=SC2086 # arguments, not one
    "${BUILDER:-podman}" build ${BUILD_ARGS:-} --build-arg PYTHON_IMAGE="$PYTHON_IMAGE" --target "$image" \
        --file deploy/smoke/images/Containerfile --tag "localhost/platewarden-smoke/$image:${TAG:-latest}" .
done
