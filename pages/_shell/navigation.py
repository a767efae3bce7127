"""The list of pages, and what a page does when it was opened without the entry script."""

import inspect
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "assets"
ENTRY = ROOT / "dashboard.py"


@dataclass(frozen=True, slots=True)
class Entry:
    """A page as the navigation and the cards of the home page show it.

    Attributes:
        name: of its script, and its address.
        title: what people call it.
        icon: a Material symbol.
        question: the question that the page answers.
    """

    name: str
    title: str
    icon: str
    question: str

    @property
    def path(self) -> Path:
        """The page's script."""
        return ROOT / "pages" / f"{self.name}.py"


HOME = Entry("home", "Home", ":material/home:", "What does the network see in this picture, and why?")

PAGES: tuple[Entry, ...] = (
    Entry("convolution", "Convolution", ":material/grid_on:", "What does a filter do, number by number?"),
    Entry("architecture", "Architecture", ":material/account_tree:", "What is the network made of, what does it cost?"),
    Entry("feature_maps", "Feature maps", ":material/apps:", "What does every layer make of this picture?"),
    Entry("occlusion", "Occlusion", ":material/visibility_off:", "Which part matters? Hide it and see."),
    Entry("saliency", "Saliency", ":material/flare:", "Which pixels move the score, and can you believe it?"),
    Entry("class_models", "Class models", ":material/palette:", "What does the network think a class looks like?"),
)


def listed() -> tuple[Entry, ...]:
    """The pages that exist, home left out, in the order in which a newcomer reads them."""
    return tuple(entry for entry in PAGES if entry.path.exists())


def pages() -> list[StreamlitPage]:
    """All pages as Streamlit knows them; home is the default and lives at ``/``."""
    return [
        st.Page(entry.path, title=entry.title, icon=entry.icon, url_path=entry.name, default=entry is HOME)
        for entry in (HOME, *listed())
    ]


def navigate() -> StreamlitPage:
    """Show the navigation; called by the entry script in every run."""
    return st.navigation(pages(), position="top")


def entered() -> bool:
    """Whether the entry script is running this page: it is among the callers then."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_filename == str(ENTRY):
            return True
        frame = frame.f_back
    return False


def heal() -> None:
    """Bring a page that Streamlit ran without the entry script under the entry script.

    In a fresh process Streamlit takes the folder ``pages/`` for a multipage app of the old kind until the first
    ``st.navigation``, and the first visitor of a deep link would see the page without sidebar or context. Naming
    the pages and running again mends it for the whole process; the address keeps its query.
    """
    # With an icon of its own: for a page's symbol the browser would ask a server on the internet.
    st.set_page_config("Convis", str(ASSETS / "brand" / "mark.svg"), "wide", "expanded")
    navigate()
    st.rerun()
