"""The browser of this machine, driven by Playwright's client."""

import shutil
import time
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Without a sandbox, for tests may be run by root; WebGL by software, for there may be no GPU.
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader"]
SIZE = {"width": 1400, "height": 800}


@contextmanager
def opened_page(size=SIZE):
    """Yield a new page of a browser; skips the test where there is none."""
    client = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"needs a browser: {', '.join(NAMES)}")
    with client.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        page = browser.new_page(viewport=size)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            browser.close()
        assert errors == []


def until(page, condition, seconds=60):
    """Wait until an expression is true on the page, whose policy forbids it to look for itself."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not after {seconds} s: {condition}"
        time.sleep(0.02)
