"""Names in certificates, and tokens."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.identity import NOBODY, AccessToken, Caller, Peer, PeerKind, peer_from_uri

NAMES = {
    PeerKind.SERVICE: st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True),
    PeerKind.SENSOR: st.from_regex(r"[a-z0-9-]{3,63}", fullmatch=True),
    PeerKind.AGENCY: st.from_regex(r"[A-Z0-9]{9}", fullmatch=True),
}


@given(st.data(), st.sampled_from(list(NAMES)))
def test_a_peer_is_read_from_its_uri(data: st.DataObject, kind: PeerKind) -> None:
    name = data.draw(NAMES[kind])

    peer = peer_from_uri(f"spiffe://platewarden/{kind.value}/{name}")

    assert peer == Peer(kind, name)
    assert str(peer) == f"{kind.value}/{name}"


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "spiffe://platewarden/service/",
        "spiffe://platewarden/service/audit/",
        "spiffe://platewarden/service/audit\n",
        "spiffe://platewarden/service/AUDIT",
        "spiffe://platewarden.example/service/audit",
        "spiffe://elsewhere/service/audit",
        "https://platewarden/service/audit",
        "xspiffe://platewarden/service/audit",
        "spiffe://platewarden/sensor/..",
        "spiffe://platewarden/agency/il0160000",
        "spiffe://platewarden/person/mk",
    ],
)
def test_any_other_uri_names_nobody(uri: str) -> None:
    assert peer_from_uri(uri) == NOBODY


def test_a_token_cannot_be_printed_or_written_down() -> None:
    token = AccessToken("s3cret")
    caller = Caller(NOBODY, token)

    for text in (repr(token), str(token), f"{token}", repr(caller), str(caller)):
        assert "s3cret" not in text
    for way in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError):
            way(token)
    assert token.reveal() == "s3cret"
