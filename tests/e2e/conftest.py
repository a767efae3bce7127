"""A real server and a real chromium: for what only a browser shows."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.watching import Watched, watched_server

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ENDED = "[data-testid=stApp][data-test-script-state=notRunning]"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; without one the tests are skipped, except where CI says that there must be one."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return path
    if os.environ.get("CONVIS_REQUIRE_BROWSER"):
        pytest.fail("No chromium found; install Debian's package chromium.")
    pytest.skip("No chromium found; install Debian's package chromium.")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], str]]:
    """Starts the real dashboard in a process of its own, and returns its address."""
    running: list[subprocess.Popen] = []

    def start() -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = tmp_path_factory.mktemp("server") / "log.txt"
        environment = dict(os.environ)
        # Any attempt to leave this machine shall fail at once, and loudly.
        nowhere = "http://127.0.0.1:9"
        environment |= {"HTTP_PROXY": nowhere, "HTTPS_PROXY": nowhere, "NO_PROXY": "127.0.0.1"}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "dashboard.py", "--server.port", str(port)],
                cwd=ROOT,
                env=environment | {"CONVIS_WEIGHTS_DIR": str(log.parent)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        running.append(process)
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                    return address
            except (urllib.error.URLError, OSError):
                if process.poll() is not None:
                    break
                time.sleep(0.1)
        pytest.fail(f"The server did not start:\n{log.read_text()}")

    yield start
    for process in running:
        process.terminate()
    for process in running:
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def server(start_server: Callable[[], str]) -> str:
    """The address of a server that all tests share."""
    return start_server()


@pytest.fixture(scope="module")
def watched(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server whose board and processor can be looked at from outside."""
    with watched_server(tmp_path_factory.mktemp("watched")) as server:
        yield server


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A fresh tab, 1280 x 800, that fails the test when the page's own scripts fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page = context.new_page()
    page.set_default_timeout(60_000)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    yield page
    context.close()
    assert not failures


@pytest.fixture(scope="session")
def settle() -> Callable[[Page], None]:
    """Waits until the script has ended and stays ended for half a second."""

    def settled(page: Page) -> None:
        quiet = 0
        while quiet < 5:
            page.wait_for_selector(ENDED)
            page.wait_for_timeout(100)
            quiet = quiet + 1 if page.query_selector(ENDED) else 0

    return settled
