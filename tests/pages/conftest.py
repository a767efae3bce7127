"""Pages without a browser: Streamlit's AppTest, with the job board computing in the page's own thread."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]

OpenPage = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def inline_jobs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Jobs end before the page goes on: AppTest knows no polling."""
    monkeypatch.setenv("CONVIS_INLINE", "1")
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    yield
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
