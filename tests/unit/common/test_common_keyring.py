"""Keys change without a gap: what was sealed before opens while the key before stands in the file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidTag

from services.alerts.core.listing import Place
from services.alerts.errors import BadTokenError
from services.alerts.page_tokens import PageSealer
from services.alerts.tokens import ResumePoint, TokenSealer
from services.alerts.webhook_secrets import WebhookSecrets
from services.audit.core.entry import EntryKind, make_entry
from services.audit.core.seal import Sealer
from services.audit.core.seal import SealError as CopySealError
from services.common.config import ConfigError
from services.common.errors import StorageUnavailableError
from services.common.imagecrypt import SealError, unwrap_day_key, wrap_day_key
from services.common.keyfile import read_key
from services.common.keyring import Key, every, opened
from services.search.core.hold_seal import HoldSealError, unwrap_hold_key, wrap_hold_key
from services.search.core.pages import AskedQuestion, PagePosition, PageTokenError, open_token, seal

OLD, NEW = bytes(range(32)), bytes(range(100, 132))
DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ID = UUID(int=7)
POINT = ResumePoint(epoch=1, position=2, mark=3, account_id="a")
PLACE = Place("a", "asked", NOON, NOON, None, "")
ASKED = AskedQuestion("reads", (("plate", "AB1"),), 1, 2)
POSITION = PagePosition("a", "b", 1, 2, 3, "c")
ENTRY = make_entry(
    "key", {"entry_id": str(ID), "kind": EntryKind.EVENT.value, "record_time": "2026-11-20T12:00:00Z"}, bytes
)

Sealing = tuple[Callable[[bytes], bytes | str], Callable[[bytes, bytes | str], object], type[Exception]]
SEALINGS: dict[str, Sealing] = {
    "day key of pictures": (
        lambda key: wrap_day_key(key, DAY, NEW[::-1]),
        lambda key, sealed: unwrap_day_key(key, DAY, sealed),
        SealError,
    ),
    "key of a hold": (
        lambda key: wrap_hold_key(key, ID, NEW[::-1]),
        lambda key, sealed: unwrap_hold_key(key, ID, sealed),
        HoldSealError,
    ),
    "resume token": (
        lambda key: TokenSealer(key).seal(POINT),
        lambda key, sealed: TokenSealer(key).open(sealed),
        BadTokenError,
    ),
    "page token of alerts": (
        lambda key: PageSealer(key).seal(PLACE),
        lambda key, sealed: PageSealer(key).open(sealed),
        BadTokenError,
    ),
    "page token of search": (
        lambda key: seal(key, ASKED, POSITION),
        lambda key, sealed: open_token(key, ASKED, sealed),
        PageTokenError,
    ),
    "secret of a webhook": (
        lambda key: WebhookSecrets(key).new(ID),
        lambda key, sealed: WebhookSecrets(key).open(ID, sealed),
        StorageUnavailableError,
    ),
    "entry of the log's copy": (
        lambda key: Sealer("log", key).seal(0, ENTRY, "2026-11-20T12:00:00Z", bytes(12)),
        lambda key, sealed: Sealer("log", key).open(0, ENTRY.leaf, sealed),
        CopySealError,
    ),
}


@pytest.mark.clause("III.E.5")
@pytest.mark.parametrize("what", SEALINGS)
def test_it_opens_with_the_key_before_until_that_is_taken_out(what: str) -> None:
    make, open_with, wrong = SEALINGS[what]
    before = make(OLD)

    # Step by step: everybody can open what is to come, then it comes, then what was before is gone.
    for keys in (Key(OLD, [NEW]), Key(NEW, [OLD])):
        assert open_with(keys, before) == open_with(OLD, before)
    with pytest.raises(wrong):
        open_with(Key(NEW), before)


@pytest.mark.clause("III.E.5")
@pytest.mark.parametrize("what", SEALINGS)
def test_the_first_key_seals_and_who_knows_it_already_opens_it(what: str) -> None:
    make, open_with, wrong = SEALINGS[what]
    after = make(Key(NEW, [OLD]))

    assert open_with(NEW, after) == open_with(Key(OLD, [NEW]), after)
    with pytest.raises(wrong):
        open_with(OLD, after)


def test_a_file_has_a_key_a_line_and_the_first_one_counts(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n", encoding="ascii")

    key = read_key(file, "PW_X")

    assert key == NEW
    assert every(key) == (NEW, OLD)
    assert NEW.hex() not in repr(key) + str(key) + f"{key}"
    assert every(NEW) == (NEW,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ab" * 31,
        f"{'ab' * 32} {'ab' * 32}",
        f"{'ab' * 32}\n{'cd' * 31}",
        "\n".join(f"{n:02x}" * 32 for n in range(5)),
        "zz" * 32,
    ],
)
def test_a_file_with_anything_else_stops_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, encoding="ascii")

    with pytest.raises(ConfigError, match="PW_X"):
        read_key(file, "PW_X")


def test_what_no_key_opens_says_so() -> None:
    def never(_: bytes) -> bytes:
        raise InvalidTag

    with pytest.raises(InvalidTag):
        opened(Key(NEW, [OLD]), never, InvalidTag)
