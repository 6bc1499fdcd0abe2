"""Only addresses of the agency's own government domains."""

import pytest

from services.audit.core.email import is_domain, is_government_address

DOMAINS = ("police.gov", "isp.illinois.gov")


@pytest.mark.clause("III.B.3.j")
@pytest.mark.parametrize(
    "address", ["a@police.gov", "a.b+c@POLICE.GOV", "o'hara@isp.illinois.gov", "a@d1.isp.illinois.gov"]
)
def test_an_address_of_a_registered_domain_is_taken(address: str) -> None:
    assert is_government_address(address, DOMAINS)


@pytest.mark.clause("III.B.3.j")
@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@police.gov",
        "a@",
        "a@gmail.com",
        "a@police.gov.evil.com",
        "a@notpolice.gov",
        "a@illinois.gov",
        "a@gov",
        "a@police.gov.",
        "a@.police.gov",
        "a@x..police.gov",
        "a@pоlice.gov",  # noqa: RUF001 - a Cyrillic o
        "a@xn--plice-nye.gov",
        "a@xn--80ak6aa92e.police.gov",
        "a@police。gov",
        "a b@police.gov",
        "a@evil.com@police.gov",
        '"a@evil.com"@police.gov',
        "a@police.gov\n",
        "a@-x.police.gov",
        "a@" + "x" * 64 + ".police.gov",
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    assert not is_government_address(address, DOMAINS)


@pytest.mark.parametrize(
    "domain", ["gov", "", "Police.gov", "police.gov.", "xn--a.gov", "po lice.gov", "a.b" * 90]
)
def test_what_is_no_plain_domain_cannot_be_registered(domain: str) -> None:
    assert not is_domain(domain)
