"""A database that is restored to an older state gets its log back, or a new log begins and names the loss."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest

from alpr.audit.v1 import log_query_service_pb2 as query_pb
from alpr.audit.v1.log_query_service_pb2_grpc import LogQueryServiceStub
from services.audit.checkpoint_copies import CheckpointFolder
from services.audit.config import AuditSettings
from services.audit.core.checkpoint import Signer
from services.audit.restore import RestoreError, close, read_copy, replay
from services.audit.restore import main as restore
from services.audit.verifier import main as verify
from services.common.config import ConfigError
from services.common.tlog import Note
from services.dev.pki import DevelopmentAuthority
from services.dev.specs import new_signing_key
from services.witness.store import WitnessStore
from tests.support.audit_kit import COORDINATOR, authorizations, log_size, plate_request, refused, request_id
from tests.support.databases import fetch
from tests.support.issuer import RunningIssuer
from tests.support.witness_kit import Place, ask, cut_log, running_witness, witness_settings

ORDER = "ab" * 32
_FIRST_QUESTION = """
    SELECT l.entry_id::text AS entry_id FROM audit.log_leaf AS l JOIN audit.log_field AS f USING (log_index)
    WHERE f.name = 'kind' AND f.value = 'query' ORDER BY l.log_index LIMIT 1
"""


def written_copy(place: Place) -> Path:
    """What `platewarden witness copy` writes, while the witness goes on."""
    file = place.folder / "copy.jsonl"
    store = WitnessStore(place.folder / "witness" / "store", only_read=True)
    try:
        store.write_copy(place.settings.log_origin, file)
    finally:
        store.close()
    return file


def environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = place.settings
    monkeypatch.setenv("PW_LOG_ORIGIN", settings.log_origin)
    monkeypatch.setenv("PW_LOG_SIGNING_KEY_FILE", str(settings.log_signing_key_file))
    monkeypatch.setenv("PW_LOG_CHECKPOINT_DIR", str(settings.log_checkpoint_dir))
    monkeypatch.setenv("PW_LOG_COPY_KEY_FILE", str(settings.log_copy_key_file))


async def replayed(place: Place) -> int:
    """Exit code of the command, in a thread as it has a loop of its own."""
    _, witness = place.keys()
    arguments = ["replay", "--admin-url", place.database.admin_url, "--copy", str(written_copy(place))]
    return await asyncio.to_thread(restore, [*arguments, "--witness-key", str(witness)])


@pytest.mark.clause("IV.E.2", "IV.A.3")
async def test_a_log_that_lost_its_end_gets_it_back_from_the_copy_and_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(place, monkeypatch)
    size = await log_size_of(place)
    await cut_log(place.database.admin_url, place.settings.signer(), 5)
    await fetch(place.database.admin_url, "DELETE FROM audit.change")

    assert await replayed(place) == 0

    said = capsys.readouterr().out
    assert f"restored {size - 5} entries; the log has {size + 1}" in said
    assert "do it again: account.enable" in said  # in the log, and the restored tables know nothing of it
    async with place.audit() as audit:
        await ask(audit, place.officer)
        assert await place.witness.turn(audit) == size + 2  # for the witness it is the same log
        export = await place.export(audit)
    log_key, witness_key = place.keys()
    kept = ["--checkpoint", str(await place.witnessed()), "--witness-key", str(witness_key)]
    assert verify(["--public-key", str(log_key), "--complete", *kept, str(export)]) == 0


async def log_size_of(place: Place) -> int:
    rows = await fetch(place.database.admin_url, "SELECT size FROM audit.log_head")
    return int(rows[0]["size"])


@pytest.mark.clause("IV.E.2")
async def test_a_log_that_the_witness_closed_is_open_again_after_the_replay(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(place, monkeypatch)
    place.forget_second_place(await cut_log(place.database.admin_url, place.settings.signer(), 5))
    async with place.audit() as audit:
        with pytest.raises(Exception, match="no continuation"):
            await place.witness.turn(audit)
        assert (await refused(authorizations(audit).Authorize(plate_request("x")))).code is (
            grpc.StatusCode.UNAVAILABLE
        )

    assert await replayed(place) == 0

    async with place.audit() as audit:
        await ask(audit, place.officer)
        await place.witness.turn(audit)


@pytest.mark.clause("IV.E.2")
async def test_what_was_redacted_does_not_come_back_with_an_older_database(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(place, monkeypatch)
    before = await log_size_of(place)
    entry_id = (await fetch(place.database.admin_url, _FIRST_QUESTION))[0]["entry_id"]
    old_value = await purpose_of(place, entry_id)
    async with place.audit() as audit:
        request = query_pb.RedactFieldRequest(
            request_id=request_id(),
            entry_id=entry_id,
            field="purpose",
            legal_basis="Order of the court, 20 ILCS 2630/5.2",
            document_sha256=ORDER,
        )
        stub = audit.people(LogQueryServiceStub)
        await stub.RedactField(request, metadata=audit.bearer(COORDINATOR))
        await place.witness.turn(audit)
    copied = read_copy(written_copy(place), place.settings.signer().public, place.witness.witness.public_key)
    sealer = place.settings.sealer()
    opened = [sealer.open(n, leaf, sealed).entry for n, (leaf, sealed) in enumerate(copied.entries)]
    assert [one.value("purpose") for one in opened if one.entry_id == entry_id] == [""]
    await cut_log(place.database.admin_url, place.settings.signer(), before)
    await unredact(place, entry_id, old_value)

    assert await replayed(place) == 0

    assert await purpose_of(place, entry_id) is None


async def purpose_of(place: Place, entry_id: str) -> tuple[bytes, str] | None:
    rows = await fetch(
        place.database.admin_url,
        "SELECT f.salt, f.value FROM audit.log_field AS f JOIN audit.log_leaf AS l USING (log_index)"
        " WHERE l.entry_id = $1::uuid AND f.name = 'purpose'",
        entry_id,
    )
    return (rows[0]["salt"], rows[0]["value"]) if rows else None


async def unredact(place: Place, entry_id: str, value: tuple[bytes, str] | None) -> None:
    """As a backup from before has it."""
    assert value
    admin = place.database.admin_url
    await fetch(admin, "ALTER TABLE audit.redaction DISABLE TRIGGER ALL")
    await fetch(admin, "DELETE FROM audit.redaction")
    await fetch(admin, "DELETE FROM audit.change")
    await fetch(admin, "ALTER TABLE audit.redaction ENABLE TRIGGER ALL")
    for trigger in ("acts", "keep", "keep_all"):
        await fetch(admin, f"ALTER TABLE audit.redaction ENABLE ALWAYS TRIGGER {trigger}")
    await fetch(
        admin,
        "INSERT INTO audit.log_field (log_index, name, salt, value)"
        " SELECT log_index, 'purpose', $2, $3 FROM audit.log_leaf WHERE entry_id = $1::uuid",
        entry_id,
        *value,
    )


@pytest.mark.clause("IV.E.2")
async def test_no_replay_when_more_has_left_than_the_copy_holds(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(place, monkeypatch)
    async with place.audit() as audit:
        await ask(audit, place.officer)  # its checkpoint is in the second place, and no copy has the entry
    await cut_log(place.database.admin_url, place.settings.signer(), 5)

    assert await replayed(place) == 1

    assert "entries are lost for good; close the log instead" in capsys.readouterr().err
    assert await log_size_of(place) == 5


async def test_a_rewritten_log_is_not_replayed_onto(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(place, monkeypatch)
    await place.rewrite()

    assert await replayed(place) == 1


async def test_a_copy_that_was_changed_or_is_of_another_key_is_refused(place: Place) -> None:
    signer, key = place.settings.signer(), place.witness.witness.public_key
    file = written_copy(place)
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    twice = [*lines[:3], lines[2], *lines[4:]]
    for changed in (lines[:-2] + lines[-1:], lines[:1] + lines[2:], lines[1:], twice):
        file.write_text("".join(changed), encoding="utf-8")
        with pytest.raises(RestoreError):
            read_copy(file, signer.public, key)
    file.write_text("".join(lines), encoding="utf-8")
    copy = read_copy(file, signer.public, key)
    await cut_log(place.database.admin_url, signer, 5)
    other = type(place.settings.sealer())(signer.origin, bytes(32))

    with pytest.raises(RestoreError, match="PW_LOG_COPY_KEY_FILE"):
        await replay(place.database.admin_url, copy, signer, other, None)


@pytest.mark.clause("IV.E.2")
async def test_a_log_without_a_copy_is_closed_and_the_new_one_names_the_loss(
    place: Place,
    tls: DevelopmentAuthority,
    issuer: RunningIssuer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    signed = await log_size_of(place)
    old, new = place.settings.signer(), Signer("audit.test/second", place.settings.signer().key)
    await cut_log(place.database.admin_url, old, 5)
    newest = CheckpointFolder(place.settings.log_checkpoint_dir, old.origin).newest()
    assert newest

    await close(place.database.admin_url, old, new, newest.head, "disk of the database lost")

    place.settings = AuditSettings(**{**place.settings.model_dump(), "log_origin": new.origin})
    async with place.audit() as audit:
        await ask(audit, place.officer)
        export = await place.export(audit)
        assert await log_size(audit) >= 2
        watched = witness_settings(tmp_path / "second", tls, new.public)
        async with running_witness(watched, tls) as witness:
            assert await witness.turn(audit) >= 2
    fields = await fetch(
        place.database.admin_url, "SELECT name, value FROM audit.log_field WHERE log_index = 0"
    )
    told = {row["name"]: row["value"] for row in fields}
    (place.folder / "log.pub").write_text(new.verifier_key(), encoding="utf-8")
    assert verify(["--public-key", str(place.folder / "log.pub"), "--complete", str(export)]) == 0
    assert (told["kind"], told["action"]) == ("genesis", "log.begin")
    assert told["detail.closed_origin"] == old.origin
    assert (told["detail.closed_size"], told["detail.signed_size"]) == ("5", str(signed))
    assert told["detail.lost_entries"] == str(signed - 5)
    kept = await fetch(place.database.admin_url, "SELECT count(*) AS n FROM audit.closed1_log_leaf")
    assert kept[0]["n"] == 5
    with pytest.raises(Exception, match="never changed"):
        await fetch(place.database.admin_url, "DELETE FROM audit.closed1_log_leaf")
    with pytest.raises(Exception, match="never changed"):
        await fetch(place.database.admin_url, "DELETE FROM audit.log_field")


@pytest.mark.clause("IV.E.2", "III.E.5")
async def test_a_log_whose_key_was_stolen_is_closed_and_the_new_one_has_a_new_key(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment(place, monkeypatch)
    old, new_key = place.settings.signer(), tmp_path / "new.pem"
    new_key.write_bytes(new_signing_key())
    arguments = ["close", "--admin-url", place.database.admin_url, "--new-origin", "audit.test/second"]

    code = await asyncio.to_thread(
        restore, [*arguments, "--new-key", str(new_key), "--reason", "the signing key was stolen"]
    )

    said = capsys.readouterr().out
    changed = {"log_origin": "audit.test/second", "log_signing_key_file": new_key}
    place.settings = AuditSettings(**{**place.settings.model_dump(), **changed})
    assert code == 0
    assert place.settings.signer().verifier_key() in said
    async with place.audit() as audit:
        await ask(audit, place.officer)
        export = await place.export(audit)
    log_key, _ = place.keys()
    assert verify(["--public-key", str(log_key), "--complete", str(export)]) == 0
    log_key.write_text(old.verifier_key(), encoding="utf-8")
    assert verify(["--public-key", str(log_key), "--complete", str(export)]) == 1


async def test_the_new_log_has_another_origin(place: Place) -> None:
    signer = place.settings.signer()
    head = Note.parse(signer.checkpoint(0, bytes(32)).text).head

    with pytest.raises(RestoreError, match="--new-origin"):
        await close(place.database.admin_url, signer, signer, head, "x")


@pytest.mark.parametrize("missing", ["PW_LOG_ORIGIN", "PW_LOG_COPY_KEY_FILE"])
async def test_a_restore_without_the_logs_settings_does_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    environment(place, monkeypatch)
    monkeypatch.delenv(missing)

    assert await replayed(place) == 1
    assert missing in capsys.readouterr().err


async def test_a_service_of_the_old_origin_does_not_start_on_the_new_log(place: Place) -> None:
    old = place.settings.signer()
    new = Signer("audit.test/second", old.key)
    await close(place.database.admin_url, old, new, Note.parse(old.checkpoint(9, bytes(32)).text).head, "x")

    with pytest.raises(ConfigError):
        async with place.audit():
            pass
