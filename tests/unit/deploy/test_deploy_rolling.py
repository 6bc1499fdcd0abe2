"""What the manifests must say so that replicas are replaced without a failed call."""

from typing import Any

import pytest

from services.common import server
from services.common.config import ServiceSettings
from tests.support.manifests_kit import rendered

# The cluster's DNS keeps an answer for five seconds; a client looks every three for a replica that was away.
DNS_SECONDS = 5
RECONNECT_SECONDS = 3
EACH = [
    pytest.param(overlay, name, id=f"{overlay}-{name}")
    for overlay in ("dev", "production")
    for name in ("audit", "alerts", "search", "matcher", "ocr")
]


def workload(overlay: str, name: str) -> dict[str, Any]:
    return rendered(overlay).workloads[name]


@pytest.mark.parametrize(("overlay", "name"), EACH)
def test_callers_have_found_a_new_replica_before_the_next_old_one_ends(overlay: str, name: str) -> None:
    assert workload(overlay, name)["spec"]["minReadySeconds"] >= DNS_SECONDS + RECONNECT_SECONDS


@pytest.mark.parametrize(("overlay", "name"), EACH)
def test_a_replica_has_the_time_that_its_orderly_end_can_take(overlay: str, name: str) -> None:
    told = rendered(overlay).environment(name)
    default = ServiceSettings.model_fields["shutdown_grace_seconds"].default
    grace = float(told.get("PW_SHUTDOWN_GRACE_SECONDS", default))

    given = workload(overlay, name)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    assert given > server._LAME_DUCK_SECONDS + grace + 2 * server._ON_STOP_SECONDS


@pytest.mark.parametrize(("overlay", "name"), EACH)
def test_a_second_replica_serves_while_one_is_replaced(overlay: str, name: str) -> None:
    spec = workload(overlay, name)["spec"]
    scaled = [one["spec"] for one in rendered(overlay).of("HorizontalPodAutoscaler")]
    least = [one["minReplicas"] for one in scaled if one["scaleTargetRef"]["name"] == name]
    strategy = spec.get("strategy", {}).get("rollingUpdate", {})

    assert (least or [spec.get("replicas", 1)])[0] >= 2
    assert spec.get("strategy", {}).get("type", "RollingUpdate") == "RollingUpdate"
    assert strategy.get("maxUnavailable", 0) in {0, "0%", "25%"}
