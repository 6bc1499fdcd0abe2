"""Notes, keys and cosignatures are read one way only, and hold only when they do."""

from __future__ import annotations

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from services.audit.core.checkpoint import Signer
from services.common.tlog import Cosigner, Note, NoteError, VerifierKey

LOG = Signer("audit.test/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
WITNESS = Cosigner("witness.test/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
OTHER = Cosigner("witness.test/w1", Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34))))
TEXT = LOG.checkpoint(7, bytes(32)).text


def cosigned(time: int = 1_700_000_000) -> Note:
    note = Note.parse(TEXT)
    return note.with_only([*note.signatures, WITNESS.cosign(note.body, time)])


def test_a_checkpoint_and_its_signatures_survive_the_way_there_and_back() -> None:
    note = Note.parse(cosigned().text())

    assert note.text() == cosigned().text()
    assert (note.head.origin, note.head.size, note.head.root) == ("audit.test/log", 7, bytes(32))
    assert note.signature_of(LOG.public).name == "audit.test/log"
    assert note.cosigned_at(WITNESS.verifier_key) == 1_700_000_000


def test_a_key_survives_as_a_line() -> None:
    for key in (LOG.public, WITNESS.verifier_key):
        assert VerifierKey.parse(key.text() + "\n") == key


@given(st.integers(0, len(TEXT) - 1), st.characters(codec="utf-8"))
def test_any_character_that_is_changed_is_found(place: int, character: str) -> None:
    changed = TEXT[:place] + character + TEXT[place + 1 :]
    if changed == TEXT:
        return
    with pytest.raises(NoteError):
        Note.parse(changed).signature_of(LOG.public)


def test_signatures_of_others_do_not_hold() -> None:
    note = cosigned()
    line = note.signatures[1]
    later = type(line)(line.name, line.key_id, (1).to_bytes(8) + line.signature[8:])

    with pytest.raises(NoteError):
        note.cosigned_at(OTHER.verifier_key)
    with pytest.raises(NoteError):
        note.with_only([later]).cosigned_at(WITNESS.verifier_key)
    with pytest.raises(NoteError):
        note.with_only([]).signature_of(LOG.public)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        f"audit.test/log\n7\n{b64encode(bytes(32)).decode()}\n",
        f"audit.test/log\n07\n{b64encode(bytes(32)).decode()}\n\n" + TEXT.splitlines()[-1] + "\n",
        f"audit.test/log\n\u0667\n{b64encode(bytes(32)).decode()}\n\n" + TEXT.splitlines()[-1] + "\n",
        f"audit.test/log\n{2**63}\n{b64encode(bytes(32)).decode()}\n\n" + TEXT.splitlines()[-1] + "\n",
        f"audit.test/log\n7\n{b64encode(bytes(31)).decode()}\n\n" + TEXT.splitlines()[-1] + "\n",
        TEXT + "no signature\n",
        TEXT[:-1],
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        Note.parse(text)


@pytest.mark.parametrize(
    "text", ["", "a+b", "a+00000000+AAAA", WITNESS.verifier_key.text().replace("w1", "w2")]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)
