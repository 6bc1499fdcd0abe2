"""One furnished system with its console, and one browser, for all tests of pages."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.stand import attached_world
from tests.support.access_stack import World, running_world
from tests.support.alert_pages import Staff, staff
from tests.support.browser import Consoles, running_browser
from tests.support.ports import free_base_port


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data directory of the system."""
    stand = os.environ.get("PW_TEST_STAND")
    return Path(stand) if stand else tmp_path_factory.mktemp("console")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(folder: Path) -> AsyncIterator[World]:
    """A person of each role, and one of each thing that has an id; subjects are `the-ROLE`."""
    if os.environ.get("PW_TEST_STAND"):
        yield attached_world(folder)
        return
    async with running_world(folder, free_base_port(), console=True) as made:
        yield made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with running_browser() as started:
        yield started


@pytest.fixture(scope="session")
def consoles(world: World, browser: Browser, folder: Path) -> Consoles:
    """Windows at the console: `async with consoles.at("the-user", "/search") as desk`."""
    return Consoles(browser, world.callers.stack.console_url, folder / "issuer" / "secret")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def people(world: World, folder: Path) -> Staff:
    """A dispatcher and an officer for the tests of alerts and patrol cars."""
    return await staff(folder)
