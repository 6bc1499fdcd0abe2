"""Versions of models: listing, staged roll-out, roll-back, and the record of it (ENF-051 III.B.2.b)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from alpr.ocr.v1 import ocr_service_pb2 as pb
from services.common.clock import SystemClock
from services.common.errors import NotPermittedError
from services.dev.pki import DevelopmentAuthority
from services.ocr.__main__ import build
from services.ocr.core.rollout import RollOut
from services.ocr.models import NETWORKS, known_versions
from tests.support.ocr_kit import FIXED, TOKEN, World, copy_of_models, error_of, scene_frame, world

REASON = "the trial on two sensors went well"


@pytest_asyncio.fixture(loop_scope="session")
async def ocr(tls: DevelopmentAuthority, tmp_path: Path) -> AsyncIterator[World]:
    """A service with two versions, begun when there was only the first one."""
    models = copy_of_models(tmp_path / "models", "plates-8")
    async with world(tls, tmp_path, model_dir=models):
        pass
    copy_of_models(tmp_path / "both", "plates-8", "plates-9")
    async with world(tls, tmp_path, model_dir=tmp_path / "both") as running:
        yield running


async def activate(
    ocr: World, version: str, share: float, *, request_id: str = "", reason: str = REASON
) -> pb.RollOut:
    request = pb.ActivateModelRequest(
        request_id=request_id or str(uuid.uuid4()), version=version, sensor_share=share, reason=reason
    )
    answer = await ocr.person().ActivateModel(request, metadata=TOKEN, timeout=60)
    assert isinstance(answer, pb.ActivateModelResponse)
    return answer.roll_out


async def roll_back(ocr: World, *, request_id: str = "") -> pb.RollOut:
    request = pb.RollBackModelRequest(request_id=request_id or str(uuid.uuid4()), reason=REASON)
    answer = await ocr.person().RollBackModel(request, metadata=TOKEN, timeout=60)
    assert isinstance(answer, pb.RollBackModelResponse)
    return answer.roll_out


async def listed(stub: Any, **more: Any) -> pb.ListModelsResponse:
    answer = await stub.ListModels(pb.ListModelsRequest(), timeout=20, **more)
    assert isinstance(answer, pb.ListModelsResponse)
    return answer


async def version_of(ocr: World, sensor_id: str = FIXED) -> str:
    """The version on the reads of a frame of that sensor, which is sent so."""
    frame, _ = scene_frame(1)
    (plate, *_) = (await ocr.recognize(frame, sensor_id=sensor_id)).plates
    return str(plate.read.model_version)


@pytest.mark.clause("III.B.2.b")
async def test_new_package_changes_nothing_until_somebody_activates_its_models(ocr: World) -> None:
    before = await listed(ocr.sensor())

    assert before.roll_out.steady_version == "plates-8"
    assert await version_of(ocr) == "plates-8"


@pytest.mark.clause("III.B.2.b")
async def test_activated_version_is_the_one_on_every_read_until_it_is_rolled_back(ocr: World) -> None:
    first = await version_of(ocr)
    activated = await activate(ocr, "plates-9", 1)
    second = await version_of(ocr)
    back = await roll_back(ocr)
    third = await version_of(ocr)

    assert [first, second, third] == ["plates-8", "plates-9", "plates-8"]
    assert (activated.steady_version, activated.earlier_version) == ("plates-9", "plates-8")
    assert (back.steady_version, back.earlier_version) == ("plates-8", "")


@pytest.mark.clause("III.B.2.b")
async def test_trial_reads_the_frames_of_its_sensors_only(ocr: World) -> None:
    # The share is such that this one sensor is just inside, or just outside.
    share = next(
        n / 100 for n in range(1, 100) if RollOut("a", "plates-9", n / 100).version_of(FIXED) == "plates-9"
    )
    state = await activate(ocr, "plates-9", share)
    inside = await version_of(ocr)
    await activate(ocr, "plates-9", share - 0.01) if share > 0.01 else await roll_back(ocr)
    outside = await version_of(ocr)

    assert (state.steady_version, state.trial_version) == ("plates-8", "plates-9")
    assert (inside, outside) == ("plates-9", "plates-8")


@pytest.mark.clause("III.B.2.b")
async def test_each_change_is_recorded_before_and_after_with_its_reason(ocr: World) -> None:
    await activate(ocr, "plates-9", 0.25)
    await roll_back(ocr)

    acts = ocr.neighbours.acts
    intents = list(acts.intents.values())
    assert [one.action for one in intents] == ["model.activate", "model.roll_back"]
    assert dict(intents[0].details) == {"version": "plates-9", "sensor_share": "0.25", "reason": REASON}
    assert {one.access_token for one in intents} == {"a-token"}
    assert acts.recorded() == [("model.activate", "DONE"), ("model.roll_back", "DONE")]


async def test_who_may_not_is_refused_and_nothing_changes(ocr: World) -> None:
    ocr.neighbours.acts.refuse = NotPermittedError("not for you", metadata={"clauses": "III.B.3.l"})

    refused = await error_of(activate(ocr, "plates-9", 1))

    assert refused == (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
    assert (await listed(ocr.sensor())).roll_out.steady_version == "plates-8"


async def test_nothing_changes_without_a_token(ocr: World) -> None:
    request = pb.RollBackModelRequest(request_id=str(uuid.uuid4()), reason=REASON)

    assert (await error_of(ocr.person().RollBackModel(request)))[1] == "UNAUTHENTICATED"
    assert (await error_of(ocr.sensor().RollBackModel(request)))[1] == "UNAUTHENTICATED"
    assert ocr.neighbours.acts.intents == {}


async def test_version_that_is_not_here_is_refused_and_the_refusal_recorded(ocr: World) -> None:
    refused = await error_of(activate(ocr, "plates-77", 1))

    assert refused == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    assert ocr.neighbours.acts.recorded() == [("model.activate", "FAILED")]


async def test_roll_back_of_the_first_version_is_refused(ocr: World) -> None:
    assert await error_of(roll_back(ocr)) == (grpc.StatusCode.FAILED_PRECONDITION, "WRONG_STATE")


@pytest.mark.parametrize(
    ("share", "reason"), [(1.5, REASON), (-0.1, REASON), (float("nan"), REASON), (1.0, "why not")]
)
async def test_request_that_is_wrong_is_refused_before_anything_is_recorded(
    ocr: World, share: float, reason: str
) -> None:
    refused = await error_of(activate(ocr, "plates-9", share, reason=reason))

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert ocr.neighbours.acts.intents == {}


async def test_same_request_again_gives_the_same_answer_and_changes_nothing(ocr: World) -> None:
    request_id = str(uuid.uuid4())
    first = await activate(ocr, "plates-9", 1, request_id=request_id)
    await roll_back(ocr)

    again = await activate(ocr, "plates-9", 1, request_id=request_id)

    assert again == first
    assert (await listed(ocr.sensor())).roll_out.steady_version == "plates-8"


async def test_request_id_with_other_content_is_refused(ocr: World) -> None:
    request_id = str(uuid.uuid4())
    await activate(ocr, "plates-9", 0.5, request_id=request_id)

    refused = await error_of(activate(ocr, "plates-9", 0.6, request_id=request_id))

    assert refused == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_change_whose_outcome_was_not_recorded_is_completed_by_the_same_request(ocr: World) -> None:
    acts, request_id = ocr.neighbours.acts, str(uuid.uuid4())
    acts.outcome_fails = True
    broken = await error_of(activate(ocr, "plates-9", 1, request_id=request_id))
    acts.outcome_fails = False

    await activate(ocr, "plates-9", 1, request_id=request_id)

    assert broken == (grpc.StatusCode.UNAVAILABLE, "AUDIT_UNAVAILABLE")
    assert acts.recorded() == [("model.activate", "DONE")]
    assert (await listed(ocr.sensor())).roll_out.revision == 2


@pytest.mark.clause("III.B.2.b")
async def test_other_replica_follows_and_a_restart_forgets_nothing(ocr: World) -> None:
    other = (await build(ocr.settings, SystemClock())).build()
    await other.start()
    second = World(ocr.tls, ocr.neighbours, ocr.settings, other)
    try:
        await activate(ocr, "plates-9", 1)
        async with asyncio.timeout(60):
            while (await listed(second.sensor())).roll_out.steady_version != "plates-9":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert await version_of(second) == "plates-9"
    finally:
        await asyncio.gather(*(channel.close() for channel in second.channels))
        await other.stop()
    third = (await build(ocr.settings, SystemClock())).build()
    await third.start()
    again = World(ocr.tls, ocr.neighbours, ocr.settings, third)
    try:
        assert await version_of(again) == "plates-9"
    finally:
        await asyncio.gather(*(channel.close() for channel in again.channels))
        await third.stop()


async def test_changes_at_once_are_made_one_after_the_other(ocr: World) -> None:
    shares = [0.1, 0.2, 0.3, 0.4]

    states = await asyncio.gather(*(activate(ocr, "plates-9", share) for share in shares))

    assert sorted(state.revision for state in states) == [2, 3, 4, 5]
    assert (await listed(ocr.sensor())).roll_out.revision == 5


@pytest.mark.clause("III.B.2.b")
async def test_list_names_versions_files_hashes_licences_and_shares(ocr: World) -> None:
    await activate(ocr, "plates-9", 0.25)

    answer = await listed(ocr.sensor())

    models = known_versions(ocr.settings.model_dir)
    assert [(one.version, one.sensor_share) for one in answer.versions] == [
        ("plates-9", 0.25),
        ("plates-8", 0.75),
    ]
    for one in answer.versions:
        model = models[one.version]
        assert (one.made_on, one.licence) == (model.made_on.isoformat(), model.licence)
        assert {file.name: file.sha256 for file in one.files} == {
            file.name: file.sha256 for file in model.files
        }
        assert all(file.size_bytes > 0 for file in one.files)
        assert tuple(one.issuers) == model.issuers
    assert sorted(one.name for one in answer.models) == sorted((*NETWORKS, *NETWORKS))


async def test_person_may_list_and_the_question_is_recorded(ocr: World) -> None:
    answer = await listed(ocr.person(), metadata=TOKEN)

    assert [one.version for one in answer.versions] == ["plates-9", "plates-8"]
    assert ocr.neighbours.acts.recorded() == [("model.list", "DONE")]


async def test_list_is_not_for_strangers(ocr: World) -> None:
    assert (await error_of(ocr.person().ListModels(pb.ListModelsRequest())))[1] == "UNAUTHENTICATED"
