"""A real browser, Debian's Chromium, that looks at a real server."""

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from tests.conftest import lacking

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    executable = shutil.which("chromium")
    if executable is None:
        lacking("there is no Chromium (Debian's package `chromium`)")
    if find_spec("playwright") is None:
        lacking("there is no Python package `playwright`")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # The driver runs an event loop in this thread, where Django would refuse to touch the database.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()
        os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")
