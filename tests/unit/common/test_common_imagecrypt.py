from __future__ import annotations

import hashlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.imagecrypt import (
    SealError,
    image_key,
    new_day_key,
    open_image,
    seal_image,
    unwrap_day_key,
    wrap_day_key,
)

KEK = bytes(range(32))
DAY = date(2026, 5, 1)
IMAGE = b"picture" * 1000
DIGEST = hashlib.sha256(IMAGE).digest()


@given(st.binary(max_size=5000), st.dates())
def test_an_image_comes_back_as_it_was(image: bytes, day: date) -> None:
    digest = hashlib.sha256(image).digest()
    key = image_key(KEK, digest)

    assert open_image(key, day, digest, seal_image(key, day, image)) == image


def test_the_same_image_is_sealed_to_the_same_bytes() -> None:
    key = image_key(KEK, DIGEST)

    assert seal_image(key, DAY, IMAGE) == seal_image(key, DAY, IMAGE)
    assert hashlib.sha256(seal_image(key, DAY, IMAGE)).hexdigest() == (
        "60aa629fb74027783cb8ac979b1a1651cb6249a1dbe277a64a4e1314b087d836"
    )


def test_each_image_and_each_day_has_its_own_key() -> None:
    keys = {image_key(day_key, digest) for day_key in (KEK, KEK[::-1]) for digest in (DIGEST, DIGEST[::-1])}

    assert len(keys) == 4


def test_an_image_opens_for_its_own_key_day_and_hash_only() -> None:
    key = image_key(KEK, DIGEST)
    sealed = seal_image(key, DAY, IMAGE)

    for wrong in (
        (KEK, DAY, DIGEST, sealed),
        (key, date(2026, 5, 2), DIGEST, sealed),
        (key, DAY, DIGEST[::-1], sealed),
        (key, DAY, DIGEST, sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (key, DAY, DIGEST, b""),
    ):
        with pytest.raises(SealError):
            open_image(*wrong)


def test_a_day_key_opens_under_its_own_kek_and_day_only() -> None:
    day_key = new_day_key()
    wrapped = wrap_day_key(KEK, DAY, day_key)

    assert unwrap_day_key(KEK, DAY, wrapped) == day_key
    assert day_key not in wrapped
    for kek, day, bytes_ in (
        (KEK[::-1], DAY, wrapped),
        (KEK, date(2026, 5, 2), wrapped),
        (KEK, DAY, wrapped[:-1]),
        (KEK, DAY, b""),
    ):
        with pytest.raises(SealError):
            unwrap_day_key(kek, day, bytes_)
