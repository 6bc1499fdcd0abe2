"""Where a person goes after the sign-in: to a page of the console, whatever the address said."""

import pytest

from services.console.sign_in import _inside

ID = "6f1c2a34-0000-4000-8000-000000000001"


@pytest.mark.parametrize("page", ["/", "/board", f"/alerts/{ID}", "/hot-lists/local", "/search/read"])
def test_a_page_of_the_console_is_gone_to(page: str) -> None:
    assert _inside(page) == page


@pytest.mark.parametrize(
    "page",
    [
        "//elsewhere.example/",
        "/\\elsewhere.example",
        "/\t/elsewhere.example",  # browsers drop the tab
        "/\n/elsewhere.example",
        "/board//elsewhere.example",
        "https://elsewhere.example/",
        "javascript:alert(1)",
        "/board;url=https://elsewhere.example",
        "",
    ],
)
def test_an_address_that_leads_elsewhere_leads_to_the_first_page(page: str) -> None:
    assert _inside(page) == "/"
