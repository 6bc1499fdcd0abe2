#!/bin/sh
# Brings an overlay to the cluster that kubectl speaks to, for the first time or over an older version: apply.sh OVERLAY
# First all but the services, and the migrations to their end: the version that runs knows the new schema, the new version needs
# it. Then the services, replica by replica. A run that was interrupted is repeated. WAIT is how long each step may take.
set -eu
overlay=${1:?name the folder of an overlay}
kubectl=${KUBECTL:-kubectl}
wait=${WAIT:-15m}

"$kubectl" kustomize "$overlay" >/dev/null # nothing is begun that is not whole
namespace=$("$kubectl" kustomize "$overlay" | sed -n '/^kind: Namespace/,/^---/s/^  name: //p')
apply="$kubectl apply --server-side --force-conflicts -k $overlay"

if "$kubectl" kustomize "$overlay" | grep -q '^  name: migrate-records$'; then
    # A job that has run cannot be changed into one of another version.
    "$kubectl" delete job migrate-records migrate-reads --namespace "$namespace" --ignore-not-found --wait
    $apply --selector 'app.kubernetes.io/component!=service'
    "$kubectl" wait job/migrate-records job/migrate-reads --namespace "$namespace" --for=condition=complete --timeout="$wait"
fi
$apply
for workload in $("$kubectl" get deployment,statefulset --namespace "$namespace" --selector app.kubernetes.io/part-of=platewarden --output name); do
    "$kubectl" rollout status "$workload" --namespace "$namespace" --timeout="$wait"
done
