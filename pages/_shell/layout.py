"""The bones that every page has, and the one way to show a figure, a sentence or a download."""

import html
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Literal

import plotly.graph_objects as go
import streamlit as st

from convis_core import models
from convis_core.errors import ConvisError
from convis_core.figures.scores import percent
from pages._shell import controls, text
from pages._shell.context import Context
from pages._shell.navigation import ASSETS

_PRESENT_FONT = 20
_INK = {"light": "#16212B", "dark": "#E6EDF1"}
_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale"],
    "toImageButtonOptions": {"scale": 2},
}


def presenting() -> bool:
    """Whether the type shall be readable from the last row; also before the toggle has been drawn."""
    asked = str(st.query_params.get("present", "")).lower() == "true"
    return bool(st.session_state.get("present", asked))


def apply_style() -> None:
    """The page config, the stylesheet, the logo, and the type size; called by the entry script, before all else.

    The icon comes before the navigation, or the browser would ask a server on the internet for the page's symbol.
    """
    st.set_page_config("Convis", str(ASSETS / "brand" / "mark.svg"), "wide", "expanded")
    st.html(ASSETS / "css" / "convis.css")
    if presenting():
        st.html(ASSETS / "css" / "present.css")
    theme = "dark" if st.context.theme.type == "dark" else "light"
    brand = ASSETS / "brand"
    st.logo(str(brand / f"wordmark-{theme}.svg"), size="large", icon_image=str(brand / "mark.svg"))


def stylesheet(page: str) -> None:
    """What the look of one page alone needs, from ``assets/css/PAGE.css``."""
    st.html(ASSETS / "css" / f"{page}.css")


def header(context: Context, title: str, purpose: str) -> None:
    """Title, one sentence of purpose, and the context strip: network, picture, class and its probability."""
    categories = context.model.categories
    synset = models.imagenet_synsets()[context.target] if categories == models.imagenet_categories() else ""
    chosen = "its first choice" if context.follows else "chosen by you"
    label, caption, name = map(html.escape, (context.model.spec.label, context.caption, context.target_name))
    st.html(
        f'<div class="convis-head"><h1>{html.escape(title)}</h1><p class="purpose">{html.escape(purpose)}</p>'
        f'<p class="strip"><b>{label}</b> looks at <b>{caption}</b> and gives <b title="{synset}">{name}</b> '
        f"({chosen}) <b>{html.escape(percent(context.probability))}</b>, logit {context.logit:.2f}</p></div>"
    )


def section(context: Context, draw: Callable[[Context], None]) -> None:
    """A part of a page that runs again by itself when something in it changes; what it refuses is said in words.

    Args:
        context: network, picture and class.
        draw: draws it.
    """

    @st.fragment
    def part() -> None:
        try:
            draw(context)
        except ConvisError as error:
            text.refuse(error)

    part()


def sections(
    context: Context,
    offered: Mapping[str, Callable[[Context], None]],
    *,
    key: str,
    label: str = "Section",
    help: str | None = None,
    beside: Callable[[str], None] | None = None,
) -> None:
    """The sections of a page, of which one is open; closed ones cost nothing.

    Args:
        context: network, picture and class.
        offered: name -> what draws the section; the first is open at first.
        key: of the control that opens one, and its name in the address.
        label: of that control, for those who cannot see it.
        help: one line on it.
        beside: draws what stands beside that control, given the name of the open section.
    """

    def draw(context: Context) -> None:
        with st.container(horizontal=True, vertical_alignment="center") if beside else nullcontext():
            chosen = controls.segmented(label, list(offered), key=key, help=help, label_visibility="collapsed")
            if beside is not None:
                beside(chosen)
        offered[chosen](context)

    section(context, draw)


def figure(
    chart: go.Figure,
    *,
    key: str,
    caption: str,
    alt: str | None = None,
    on_pick: Callable[[int], None] | None = None,
) -> None:
    """A figure with its caption.

    Args:
        chart: from ``convis_core.figures``; one without a height of its own gets that of the page's stylesheet.
        key: unique in the whole app.
        caption: makes sense alone; read out in place of the figure unless ``alt`` is given.
        alt: what the figure shows, for those who cannot see it.
        on_pick: called before the page runs again, with the index of the point that was clicked. A control beside
            the figure must do the same, for the keyboard.
    """
    # The theme's own grey is too faint for a projector.
    type_face: dict[str, object] = {"color": _INK["dark" if st.context.theme.type == "dark" else "light"]}
    if presenting():
        type_face["size"] = _PRESENT_FONT
        chart.update_traces(textfont_size=_PRESENT_FONT, selector={"type": "bar"})
    chart.update_layout(font=type_face, legend_font=type_face)
    chart.update_annotations(font=type_face)
    chart.update_xaxes(tickfont=type_face, title_font=type_face)
    chart.update_yaxes(tickfont=type_face, title_font=type_face)
    chart.update_coloraxes(colorbar_tickfont=type_face, colorbar_title_font=type_face)
    if on_pick is None:
        height: Literal["stretch", "content"] = "stretch" if chart.layout.height is None else "content"
        st.plotly_chart(chart, key=key, width="stretch", height=height, config=_CONFIG, alt=alt or caption)
    else:
        pick, told = on_pick, alt or caption

        def picked() -> None:
            points = st.session_state[key].selection.points
            if points:
                pick(int(points[0]["point_index"]))

        st.plotly_chart(
            chart, key=key, width="stretch", config=_CONFIG, alt=told, on_select=picked, selection_mode="points"
        )
    st.caption(caption)


def sentence(text: str) -> None:
    """The computed sentence under the picture, in larger type; Markdown."""
    st.markdown(f"#### {text}")


def download(label: str, content: bytes | Callable[[], bytes], file_name: str, *, key: str) -> None:
    """A download that does not run the page again.

    Args:
        label: of the button.
        content: the file; what takes time to make is given as a function, called when the button is pressed.
        file_name: its ending says what kind of file it is.
        key: unique in the whole app.
    """
    kind = file_name.rsplit(".", 1)[-1]
    mime = {"png": "image/png", "csv": "text/csv", "gif": "image/gif", "webp": "image/webp", "py": "text/x-python"}
    st.download_button(
        label,
        content,
        file_name,
        mime.get(kind, "application/octet-stream"),
        key=key,
        icon=":material/download:",
        on_click="ignore",
    )
