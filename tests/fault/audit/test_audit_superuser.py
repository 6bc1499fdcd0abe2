"""A superuser can rewrite the log's rows, even with the log's key in hand. The second place, the witness and
the verifier show it, and the service does not go on.
"""

from __future__ import annotations

import grpc
import pytest

from alpr.audit.v1 import log_service_pb2 as log_pb
from alpr.audit.v1 import log_witness_service_pb2 as witness_pb
from alpr.audit.v1.log_service_pb2_grpc import LogServiceStub
from alpr.audit.v1.log_witness_service_pb2_grpc import LogWitnessServiceStub
from services.audit.checkpoint_copies import CheckpointFolder
from services.audit.verifier import main as verify
from services.common.config import ConfigError
from services.common.tlog import Note
from services.witness.follow import LogRefusedError
from tests.support.audit_kit import authorizations, plate_request, refused
from tests.support.databases import fetch
from tests.support.witness_kit import Place, ask, cut_log


@pytest.mark.clause("IV.E.2", "III.B.3.q")
async def test_the_service_does_not_start_on_a_log_that_was_rewritten(place: Place) -> None:
    await place.rewrite()

    with pytest.raises(ConfigError, match="has left this log, and the database does not hold it"):
        async with place.audit():
            pass


@pytest.mark.clause("IV.E.2", "III.B.3.q")
async def test_the_witness_refuses_a_rewritten_log_and_has_it_closed(place: Place) -> None:
    place.forget_second_place(await place.rewrite())
    async with place.audit() as audit:
        await ask(audit, place.officer)  # nothing in the database shows it

        with pytest.raises(LogRefusedError, match="no continuation"):
            await place.witness.turn(audit)

        error = await refused(authorizations(audit).Authorize(plate_request(audit.token("coordinator"))))
        evidence = await place.witness.witness.refused(place.settings.log_origin)
    assert error.code is grpc.StatusCode.UNAVAILABLE
    own = place.settings.signer().public
    assert [
        Note.parse(one.note).signature_of(own) for one in evidence
    ]  # signed by the log itself: its own undoing
    assert Note.parse(evidence[0].known).head.size < Note.parse(evidence[0].note).head.size


@pytest.mark.clause("IV.E.2", "III.B.3.q", "IV.A.3")
async def test_the_verifier_shows_a_rewritten_log_by_what_the_witness_signed(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.forget_second_place(await place.rewrite())
    async with place.audit() as audit:
        export = await place.export(audit)
    log_key, witness_key = place.keys()
    alone = ["--public-key", str(log_key), "--complete", str(export)]
    witnessed = ["--checkpoint", str(await place.witnessed()), "--witness-key", str(witness_key)]

    assert verify(alone) == 0  # all that is in the database fits together
    assert verify([*alone, *witnessed]) == 1

    assert "the log was rewritten" in capsys.readouterr().err


@pytest.mark.clause("IV.E.2")
async def test_an_honest_log_holds_against_the_witness(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    async with place.audit() as audit:
        await ask(audit, place.officer)
        size = await place.witness.turn(audit)
        export = await place.export(audit)
        newest = await audit.service(LogServiceStub).GetCheckpoint(log_pb.GetCheckpointRequest())
    log_key, witness_key = place.keys()
    witnessed = ["--checkpoint", str(await place.witnessed()), "--witness-key", str(witness_key)]

    assert verify(["--public-key", str(log_key), "--complete", *witnessed, str(export)]) == 0

    assert f"the first {size} entries are those of checkpoints from elsewhere" in capsys.readouterr().out
    (cosigned,) = newest.witnessed
    assert Note.parse(cosigned).head.size == size
    assert Note.parse(cosigned).cosigned_at(place.witness.witness.public_key) > 0


@pytest.mark.clause("IV.E.2")
async def test_a_log_that_was_restored_to_an_older_state_is_not_gone_on_with(place: Place) -> None:
    shorter = await cut_log(place.database.admin_url, place.settings.signer(), 3)

    with pytest.raises(ConfigError, match="its log has 3; restore it"):
        async with place.audit():
            pass

    place.forget_second_place(shorter)
    async with place.audit() as audit:
        with pytest.raises(LogRefusedError):
            await place.witness.turn(audit)
        error = await refused(authorizations(audit).Authorize(plate_request("x")))
    assert error.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.clause("IV.E.2")
async def test_a_closed_log_stays_closed_for_every_replica_and_after_a_restart(place: Place) -> None:
    place.forget_second_place(await cut_log(place.database.admin_url, place.settings.signer(), 3))
    async with place.audit() as audit, place.audit() as replica:
        with pytest.raises(LogRefusedError):
            await place.witness.turn(audit)
        on_replica = await refused(authorizations(replica).Authorize(plate_request("x")))
    async with place.audit() as again:
        after_restart = await refused(authorizations(again).Authorize(plate_request("x")))

    assert on_replica.code is after_restart.code is grpc.StatusCode.UNAVAILABLE


async def test_the_service_does_not_start_with_a_guard_off(place: Place) -> None:
    await fetch(place.database.admin_url, "ALTER TABLE audit.log_field DISABLE TRIGGER keep")

    with pytest.raises(ConfigError, match=r"guards of the log are off: log_field.keep"):
        async with place.audit():
            pass


@pytest.mark.parametrize("service", ["search", "alerts", "matcher", "ocr"])
async def test_nobody_but_the_witness_closes_the_log_or_copies_it(place: Place, service: str) -> None:
    async with place.audit() as audit:
        stub = audit.service(LogWitnessServiceStub, service)
        add = stub.AddWitnessedCheckpoint(witness_pb.AddWitnessedCheckpointRequest(checkpoint="x"))

        assert (await refused(add)).code is grpc.StatusCode.PERMISSION_DENIED
        copies = await refused(stub.CopyEntries(witness_pb.CopyEntriesRequest()).read())
        assert copies.code is grpc.StatusCode.PERMISSION_DENIED


async def test_a_checkpoint_that_the_log_did_not_sign_closes_nothing(place: Place) -> None:
    newest = CheckpointFolder(place.settings.log_checkpoint_dir, place.settings.log_origin).newest()
    assert newest
    forged = newest.text().replace(f"\n{newest.head.size}\n", f"\n{newest.head.size + 1}\n")
    async with place.audit() as audit:
        stub = audit.service(LogWitnessServiceStub, "witness")
        for text in (forged, "", newest.text()):  # the last one nobody else has signed
            call = stub.AddWitnessedCheckpoint(witness_pb.AddWitnessedCheckpointRequest(checkpoint=text))
            assert (await refused(call)).code is grpc.StatusCode.INVALID_ARGUMENT
        await ask(audit, place.officer)
