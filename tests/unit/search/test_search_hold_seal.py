"""What a hold keeps opens with its own key, for its own hold and read, and in no other way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.common.errors import StorageUnavailableError
from services.search.core.hold_seal import (
    HoldSealError,
    hold_key_digest,
    open_held,
    open_held_image_key,
    open_held_read,
    open_row,
    seal_held,
)
from services.search.hold_keys import HoldKeys

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "held_seal.json").read_text(encoding="utf-8"))
HOLD, READ = UUID(int=1), UUID(int=2)

every_golden = pytest.mark.parametrize(
    "golden", GOLDEN, ids=[str(len(one["content"]) // 2) for one in GOLDEN]
)


def parts(golden: dict[str, str]) -> tuple[bytes, str, bytes]:
    return bytes.fromhex(golden["key"]), golden["label"], bytes.fromhex(golden["sealed"])


@every_golden
def test_what_the_archive_sealed_opens(golden: dict[str, str]) -> None:
    key, label, sealed = parts(golden)

    assert open_row(key, label, sealed).hex() == golden["content"]


@pytest.mark.clause("IV.E.3")
@every_golden
def test_not_one_bit_of_it_may_be_changed_and_no_other_key_or_label_opens_it(golden: dict[str, str]) -> None:
    key, label, sealed = parts(golden)
    wrong: list[tuple[bytes, str, bytes]] = [
        (key, label, sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        for place in range(len(sealed))
    ]
    wrong += [
        (key, label, sealed[:-1]),
        (key, label, sealed + b"\x00"),
        (key, label, b""),
        (key, label, sealed[:47]),
    ]
    wrong += [(key, f"{label}x", sealed), (bytes([key[0] ^ 1]) + key[1:], label, sealed)]

    for one in wrong:
        with pytest.raises(HoldSealError):
            open_row(*one)


@pytest.mark.parametrize("open_it", [open_held_read, open_held_image_key])
def test_rows_and_image_keys_have_labels_of_their_own(open_it: Any) -> None:
    golden = GOLDEN[0]

    with pytest.raises(HoldSealError):
        open_it(bytes.fromhex(golden["key"]), HOLD, READ, bytes.fromhex(golden["sealed"]))


def test_a_picture_sealed_for_one_hold_opens_for_no_other() -> None:
    key, sha256 = os.urandom(32), os.urandom(32)
    held = seal_held(key, HOLD, sha256, b"sealed picture")

    assert open_held(key, HOLD, sha256, held) == b"sealed picture"
    for wrong in ((key, READ, sha256), (key, HOLD, os.urandom(32)), (os.urandom(32), HOLD, sha256)):
        with pytest.raises(HoldSealError):
            open_held(*wrong, held)


@pytest.mark.clause("IV.E.3")
def test_each_hold_has_a_key_of_its_own_that_only_the_services_key_unwraps() -> None:
    keys, one, other = HoldKeys(os.urandom(32)), uuid4(), uuid4()
    wrapped, again = keys.new(one), keys.new(one)

    assert hold_key_digest(keys.opened(one, wrapped.wrapped)) == wrapped.digest
    assert wrapped.digest != again.digest
    assert wrapped.wrapped.hex() not in repr(wrapped)
    for strange in (keys, HoldKeys(os.urandom(32))):
        with pytest.raises(StorageUnavailableError):
            strange.opened(other if strange is keys else one, wrapped.wrapped)
