"""What browsers keep of a sign-in: sealed, of one host, for its time."""

import time
from dataclasses import replace
from http.cookies import SimpleCookie

import pytest
from starlette.responses import Response

from services.common.keyring import Key
from services.console.sessions import LIFE_SECONDS, Sealer, Session, TooLongError, Way

KEY, NEWER = bytes(range(32)), bytes(range(1, 33))


def session(access: str = "access") -> Session:
    """A session that has just begun."""
    return Session.begin(access, "refresh", 600)


def kept(sealer: Sealer, one: Session) -> dict[str, str]:
    """The cookies that a browser has after an answer with the session."""
    response = Response()
    sealer.keep(response, one)
    return cookies_of(response)


def cookies_of(response: Response) -> dict[str, str]:
    """Cookies that the answer sets and does not take back."""
    found = {}
    for text in response.headers.getlist("set-cookie"):
        for name, morsel in SimpleCookie(text).items():
            assert morsel["secure"]
            assert morsel["httponly"]
            assert morsel["path"] == "/"
            assert not morsel["domain"]
            if morsel.value:
                found[name] = morsel.value
    return found


def test_a_session_comes_back_as_it_was_and_no_token_can_be_read_in_the_browser() -> None:
    sealer, one = Sealer(Key(KEY)), session("a-secret-token")

    cookies = kept(sealer, one)

    assert sealer.session(cookies) == one
    assert "a-secret-token" not in str(cookies)
    assert all(name.startswith("__Host-") for name in cookies)


@pytest.mark.parametrize("length", [10, 3000, 6000])
def test_a_long_token_lies_in_several_cookies_each_of_which_browsers_take(length: int) -> None:
    sealer, one = Sealer(Key(KEY)), session("t" * length)

    cookies = kept(sealer, one)

    assert all(len(name) + len(value) < 4000 for name, value in cookies.items())
    assert sealer.session(cookies) == one


def test_tokens_that_fit_into_no_cookies_are_an_error() -> None:
    with pytest.raises(TooLongError):
        kept(Sealer(Key(KEY)), session("t" * 9000))


def test_a_shorter_session_leaves_nothing_of_a_longer_one_behind() -> None:
    sealer, long, short = Sealer(Key(KEY)), session("t" * 6000), session()
    cookies = kept(sealer, long)
    response = Response()
    sealer.keep(response, short)

    gone = [text for text in response.headers.getlist("set-cookie") if "Max-Age=0" in text]
    cookies = {**cookies, **cookies_of(response)}
    for text in gone:
        cookies.pop(text.partition("=")[0], None)

    assert sealer.session(cookies) == short


def test_what_somebody_else_wrote_or_changed_opens_nothing() -> None:
    sealer = Sealer(Key(KEY))
    cookies = kept(sealer, session())
    ((name, value),) = cookies.items()

    assert sealer.session({name: value[:-2] + ("A" if value[-2] != "A" else "B") + value[-1]}) is None
    assert sealer.session({name: "no session"}) is None
    assert sealer.session({}) is None
    assert Sealer(Key(NEWER)).session(cookies) is None


def test_a_key_that_took_the_place_of_another_opens_what_that_one_sealed() -> None:
    one = session()

    assert Sealer(Key(NEWER, (KEY,))).session(kept(Sealer(Key(KEY)), one)) == one


def test_a_way_that_was_begun_is_no_session_and_a_session_no_way() -> None:
    sealer, response = Sealer(Key(KEY)), Response()
    sealer.keep_way(response, Way("state", "verifier", "/board", time.time()))
    ((_, way),) = cookies_of(response).items()
    ((_, own),) = kept(sealer, session()).items()

    assert sealer.session({"__Host-platewarden-0": way}) is None
    assert sealer.way({"__Host-platewarden-way": own}) is None


def test_a_way_is_over_after_ten_minutes() -> None:
    sealer = Sealer(Key(KEY))
    for age, wanted in ((0, True), (590, True), (601, False)):
        response = Response()
        sealer.keep_way(response, Way("state", "verifier", "/board", time.time() - age))
        assert (sealer.way(cookies_of(response)) is not None) is wanted


def test_a_screen_locks_after_its_time_without_a_touch_but_not_in_a_telecommunication_centre() -> None:
    one = session()

    assert not one.is_locked(60)
    assert replace(one, used_at=one.used_at - 61).is_locked(60)
    assert not replace(one, used_at=one.used_at - 61, exempt=True).is_locked(60)


def test_a_session_is_over_after_twelve_hours_however_often_it_is_used() -> None:
    one = session()

    assert not one.is_over()
    assert replace(one, begun_at=one.begun_at - LIFE_SECONDS - 1).is_over()


def test_a_renewed_session_has_newer_tokens_and_keeps_who_it_is_and_when_it_was_touched() -> None:
    one = replace(session(), used_at=5.0)

    newer = one.renewed_as(session("newer"))

    assert (newer.access_token, newer.sid, newer.csrf, newer.used_at) == ("newer", one.sid, one.csrf, 5.0)
    assert one.renewed("again", "", 60).refresh_token == one.refresh_token


def test_a_word_of_forms_is_known_at_a_later_sign_in_of_the_same_account_alone() -> None:
    sealer = Sealer(Key(KEY))
    first, later, other = sealer.word("an-account"), sealer.word("an-account"), sealer.word("another")

    assert first != later
    assert "an-account" not in first
    assert sealer.is_of_same_account(first, later)
    assert not sealer.is_of_same_account(first, other)
    assert not Sealer(Key(NEWER)).is_of_same_account(first, later)
    for nothing in ("", "guessed", sealer.seal_form("/", [("account", "an-account")])):
        assert not sealer.is_of_same_account(nothing, later)


def test_a_word_of_forms_is_forgotten_after_two_sign_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    sealer = Sealer(Key(KEY))
    first, now = sealer.word("an-account"), time.time()

    for hours, known in ((23.9, True), (24.1, False)):
        monkeypatch.setattr(time, "time", lambda later=now + 3600 * hours: later)
        assert sealer.is_of_same_account(first, sealer.word("an-account")) is known


def test_a_sealed_form_opens_for_its_own_address_alone_and_cannot_be_read() -> None:
    sealer, fields = Sealer(Key(KEY)), [("plate", "AB1234"), ("whose", "1"), ("whose", "2")]

    text = sealer.seal_form("/search", fields)

    assert "AB1234" not in text
    assert sealer.form("/search", text) == fields
    assert sealer.form("/search/convoy", text) == []
    assert sealer.form("/search", text[:-4]) == []
    assert sealer.form("/search", "") == []
