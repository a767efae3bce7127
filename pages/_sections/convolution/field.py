"""The receptive field: add layers and watch it grow on the picture."""

import streamlit as st

from convis_core import convolution
from convis_core.errors import SpecError
from convis_core.figures import laboratory
from convis_core.results import Window
from pages._shell import controls, layout, text
from pages._shell.context import Context

_STACK = "convolution_layers"
_OFFERED = {
    "3 × 3": "c3",
    "5 × 5": "c5",
    "stride 2": "c3s2",
    "dilation 2": "c3d2",
    "pooling": "p2",
}
_FIRST = "c3 c3 p2 c3 c3 p2"
_VGG = "c3 c3 p2 c3 c3 p2 c3 c3 c3 p2 c3 c3 c3 p2 c3 c3 c3 p2"


def draw(context: Context) -> None:
    """A list of layers, as buttons and as a text, and the field of one cell after each; then its texts."""
    written, where = st.columns([2.4, 1])
    with st.container(horizontal=True):
        for label, word in _OFFERED.items():
            st.button(f"+ {label}", key=f"convolution_add_{word}", on_click=_append, args=(word,), help=f"Adds {word}.")
        st.button("Remove last", key="convolution_remove", icon=":material/backspace:", on_click=_drop)
        st.button("VGG16", key="convolution_vgg", on_click=_set, args=(_VGG,))
    stack = controls.text_input(
        "Layers",
        _FIRST,
        key=_STACK,
        place=written,
        max_chars=200,
        help="In order: c3 is a 3 × 3 convolution, c7s2 moves by 2, c3d2 is dilated by 2, p2 is a 2 × 2 pooling.",
    )
    percentage = controls.slider(
        "Place of the cell",
        (0, 100, 1),
        50,
        key="convolution_place",
        place=where,
        help="From the top left (0 %) to the bottom right (100 %) of each layer's map.",
        format="%d %%",
    )
    try:
        _grow(context, stack, percentage / 100)
    except SpecError as error:
        text.refuse(error, icon=":material/stacks:")
    text.explain("convolution_field", _vgg())


def _grow(context: Context, stack: str, place: float) -> None:
    side = context.model.input_size
    layers = convolution.parse(stack)
    grown = convolution.grow(layers, side)
    if not layers:
        st.info("No layer yet: a cell is a pixel. Add one above.", icon=":material/stacks:")
        return
    layout.figure(
        laboratory.growth(context.view(), grown, [_name(layer) for layer in layers], place),
        key="convolution_growth",
        caption=f"Left: the {side} × {side} pixels of the picture, framed what one cell sees after each layer. Right: "
        "the side of that square, the pixels from one cell's to the next one's, and how many cells there are.",
    )
    last = grown[-1]
    sees_all = " That is as much as the picture: a cell in its middle sees all of it." if last.size >= side else ""
    layout.sentence(
        f"After {len(layers)} layer{'s' if len(layers) > 1 else ''} one cell sees **{last.size} × {last.size}** pixels "
        f"of {side} × {side}; its neighbour looks {last.jump} pixel{'s' if last.jump > 1 else ''} further on.{sees_all}"
    )


def _vgg() -> dict[str, str]:
    """What the text says of VGG16's layers."""
    layers = convolution.parse(_VGG)
    pools = sum(layer.padding == 0 for layer in layers)
    return {"convolutions": str(len(layers) - pools), "pools": str(pools)}


def _name(layer: Window) -> str:
    kind = "pooling" if layer.padding == 0 and layer.kernel == layer.stride else "convolution"
    stride = f", stride {layer.stride}" if layer.stride > 1 and kind == "convolution" else ""
    dilation = f", dilation {layer.dilation}" if layer.dilation > 1 else ""
    return f"{layer.kernel} × {layer.kernel} {kind}{stride}{dilation}"


def _append(word: str) -> None:
    st.session_state[_STACK] = f"{st.session_state[_STACK]} {word}".strip()


def _drop() -> None:
    st.session_state[_STACK] = " ".join(str(st.session_state[_STACK]).split()[:-1])


def _set(stack: str) -> None:
    st.session_state[_STACK] = stack
