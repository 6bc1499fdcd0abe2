"""Which pods the smoke test makes of rendered manifests, and what it says of the rest."""

from __future__ import annotations

import base64

import pytest

from deploy.smoke.manifests import ManifestError, manifests_of, selects
from tests.unit.deploy.smoke_documents import deployment


def test_every_replica_is_a_pod_of_its_own_and_a_job_is_one() -> None:
    job = {"kind": "Job", "metadata": {"name": "found"}, "spec": {"suspend": True, "template": {"spec": {}}}}

    pods = manifests_of([deployment("audit", replicas=2), job]).pods()

    assert [(pod.name, pod.is_job, pod.suspended) for pod in pods] == [
        ("audit-0", False, False),
        ("audit-1", False, False),
        ("found", True, True),
    ]
    assert pods[2].labels["batch.kubernetes.io/job-name"] == "found"


def test_secrets_and_config_maps_are_what_they_hold() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "data": {"key": base64.b64encode(b"\x00\x01").decode()},
        "stringData": {"word": "open"},
    }
    settings = {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"A": "1"}}

    manifests = manifests_of([secret, settings]).with_secret("made", {"B": "2"})

    assert manifests.secrets == {"keys": {"key": b"\x00\x01", "word": b"open"}, "made": {"B": b"2"}}
    assert manifests.config_maps == {"settings": {"A": b"1"}}


def test_what_cannot_be_played_is_named_with_the_reason() -> None:
    budgets = [{"kind": "PodDisruptionBudget", "metadata": {"name": name}} for name in ("audit", "ocr")]
    documents = [*budgets, deployment("audit", serviceAccountName="audit")]

    said = manifests_of(documents).unplayed()

    assert "PodDisruptionBudget audit, ocr: there is one machine" in said
    assert any(line.startswith("serviceAccountName of audit: ") for line in said)


def test_a_kind_of_which_nobody_has_said_whether_it_is_played_is_an_error() -> None:
    with pytest.raises(ManifestError, match="DaemonSet/logs"):
        manifests_of([{"kind": "DaemonSet", "metadata": {"name": "logs"}}]).unplayed()


@pytest.mark.parametrize(
    ("expression", "taken"),
    [
        ({"key": "app", "operator": "In", "values": ["audit", "ocr"]}, True),
        ({"key": "app", "operator": "NotIn", "values": ["audit"]}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "other", "operator": "DoesNotExist"}, True),
    ],
)
def test_a_selector_takes_labels_as_a_cluster_does(expression: dict[str, object], taken: bool) -> None:
    assert selects({"matchExpressions": [expression]}, {"app": "audit"}) is taken


def test_an_empty_selector_takes_all_and_an_unknown_operator_is_an_error() -> None:
    assert selects({}, {"app": "audit"})
    assert not selects({"matchLabels": {"app": "ocr"}}, {"app": "audit"})
    with pytest.raises(ManifestError, match="operator Like"):
        selects({"matchExpressions": [{"key": "app", "operator": "Like"}]}, {})
