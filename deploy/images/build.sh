#!/bin/sh
# Builds the images: PYTHON_IMAGE=name@sha256:... deploy/images/build.sh [image ...]
# BUILDER is docker, podman or buildah, whichever is here; BUILD_ARGS is given to it as it is (proxies, certificates).
set -eu
cd "$(dirname "$0")/../.."
: "${PYTHON_IMAGE:?name the base: PYTHON_IMAGE=name@sha256:... (Python 3.11 or newer with pip, on glibc)}"
case $PYTHON_IMAGE in
*@sha256:*) ;;
*) echo "PYTHON_IMAGE must be pinned by its digest: name@sha256:..." >&2 && exit 2 ;;
esac
for builder in ${BUILDER:-docker podman buildah ''}; do
    if command -v "$builder" >/dev/null 2>&1; then break; fi
done
[ -n "$builder" ] || { echo "docker, podman or buildah is needed" >&2 && exit 2; }
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
for image in ${*:-audit alerts matcher search ocr witness admin}; do
    extras=$image
    [ "$image" != admin ] || extras="migrate audit"
    # shellcheck disable=SC2086 # arguments, not one
    "$builder" build ${BUILD_ARGS:-} --build-arg PYTHON_IMAGE="$PYTHON_IMAGE" --build-arg IMAGE="$image" \
        --build-arg EXTRAS="$extras" --target "$image" --file deploy/images/Containerfile \
        --tag "platewarden/$image:${TAG:-$version}" .
done
