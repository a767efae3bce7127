"""Pages without a browser: Streamlit's AppTest, in which every job has ended before the page goes on."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from convis_core.runtime.board import Board, Job
from pages._shell import cache

ROOT = Path(__file__).resolve().parents[2]

OpenPage = Callable[..., AppTest]


_LONGEST_JOB = 120.0


class SettlingBoard(Board):
    """A board whose jobs have ended when a page is given them: AppTest knows no polling."""

    def request(self, *wish: Any) -> Job[Any]:
        job = super().request(*wish)
        assert job.wait(_LONGEST_JOB), "the job did not end"
        return job


@pytest.fixture(autouse=True)
def settled_jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test has a board of its own, so that none is served another's results."""
    board = SettlingBoard(patience=math.inf)
    monkeypatch.setattr(cache, "board", lambda: board)
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    yield
    board.close()
    st.cache_resource.clear()


@pytest.fixture
def open_page() -> OpenPage:
    """Opens a page through the entry script, as a person who has followed a link."""

    def opened(name: str = "home", query: Mapping[str, str] | None = None, *, timeout: float = 60) -> AppTest:
        app = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=timeout)
        for key, value in (query or {}).items():
            app.query_params[key] = value
        if name != "home":
            app.switch_page(f"pages/{name}.py")
        return app.run()

    return opened
