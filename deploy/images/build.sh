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
revision=${REVISION:-$(git rev-parse HEAD 2>/dev/null || echo unknown)}
beside=dist/images
mkdir -p "$beside"

# The list of what is in an image lies in it, and beside it for whoever has to look before it runs.
take_sbom() {
    case $builder in
    buildah)
        made=$(buildah from --pull-never "$2")
        cp "$(buildah mount "$made")/sbom.cdx.json" "$beside/$1.cdx.json"
        buildah rm "$made" >/dev/null
        ;;
    *)
        made=$("$builder" create "$2")
        "$builder" cp "$made:/sbom.cdx.json" "$beside/$1.cdx.json"
        "$builder" rm "$made" >/dev/null
        ;;
    esac
}

for image in ${*:-audit alerts matcher search ocr witness console admin probe}; do
    extras=$image
    [ "$image" != admin ] || extras="migrate audit"
    tag="platewarden/$image:${TAG:-$version}"
    # shellcheck disable=SC2086 # arguments, not one
    "$builder" build ${BUILD_ARGS:-} --build-arg PYTHON_IMAGE="$PYTHON_IMAGE" --build-arg IMAGE="$image" \
        --build-arg EXTRAS="$extras" --build-arg VERSION="$version" --build-arg REVISION="$revision" \
        --target "$image" --file deploy/images/Containerfile --tag "$tag" .
    take_sbom "$image" "$tag"
done
