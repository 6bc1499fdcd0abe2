"""Resume tokens and stored pictures."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.core.model import Place, Sighting
from services.alerts.errors import BadTokenError
from services.alerts.pictures import PictureKeys, Pictures
from services.alerts.tokens import ResumePoint, TokenSealer
from services.common.errors import StorageUnavailableError
from services.common.objects import FileObjectStore

KEY, KEK = bytes(range(32)), bytes(range(32, 64))
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
numbers = st.integers(0, 2**63 - 1)


@given(numbers, numbers, numbers, st.text(max_size=80))
def test_a_token_opens_to_what_was_sealed(epoch: int, position: int, mark: int, account_id: str) -> None:
    point = ResumePoint(epoch, position, mark, account_id)

    assert TokenSealer(KEY).open(TokenSealer(KEY).seal(point)) == point


@given(st.text(max_size=120) | st.binary(max_size=120).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_no_other_text_opens(text: str) -> None:
    with pytest.raises(BadTokenError):
        TokenSealer(KEY).open(text)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_token_does_not_open(place: int, change: int) -> None:
    sealed = bytearray(base64.urlsafe_b64decode(TokenSealer(KEY).seal(ResumePoint(7, 9, 5, "account"))))
    sealed[place % len(sealed)] ^= change

    with pytest.raises(BadTokenError):
        TokenSealer(KEY).open(base64.urlsafe_b64encode(bytes(sealed)).decode())


def test_a_token_of_another_key_does_not_open() -> None:
    with pytest.raises(BadTokenError):
        TokenSealer(KEY).open(TokenSealer(KEK).seal(ResumePoint(7, 9, 5, "account")))


def sighting_with(keys: PictureKeys) -> Sighting:
    return Sighting(
        read_id=uuid4(),
        plate="AB12345",
        state="IL",
        capture_time=NOON,
        receive_time=NOON,
        place=Place(0, 0, ""),
        sensor_id="cam",
        sensor_agency_ori="IL0160000",
        sensor_group="",
        model_version="",
        crop_key=keys.crop,
        overview_key=keys.overview,
    )


@pytest.mark.clause("IV.E.2")
async def test_pictures_come_back_from_any_replica_and_may_be_kept_again(
    tmp_path: Path,
) -> None:
    one, other = (Pictures(FileObjectStore(tmp_path), KEK) for _ in range(2))
    keys = await one.keep(NOON, b"crop", b"")

    again = await other.keep(NOON, b"crop", b"")

    assert again == keys
    assert keys.overview == ""
    assert await other.load(sighting_with(keys)) == (b"crop", b"")


async def test_a_changed_picture_is_not_shown(tmp_path: Path) -> None:
    pictures = Pictures(FileObjectStore(tmp_path), KEK)
    keys = await pictures.keep(NOON, b"crop", b"")
    stored = tmp_path / keys.crop
    stored.write_bytes(bytes(reversed(stored.read_bytes())))

    with pytest.raises(StorageUnavailableError):
        await pictures.load(sighting_with(keys))


async def test_a_picture_of_another_services_key_is_not_shown(tmp_path: Path) -> None:
    keys = await Pictures(FileObjectStore(tmp_path), KEK).keep(NOON, b"crop", b"")

    with pytest.raises(StorageUnavailableError):
        await Pictures(FileObjectStore(tmp_path), KEY).load(sighting_with(keys))
