"""Filters: the kernels themselves, in colour where they lie on the picture, else slice by slice."""

from typing import Literal

import streamlit as st

from convis_core import export, feature_maps
from convis_core.figures import feature_maps as pictures
from convis_core.figures.style import Scale
from convis_core.results import ContactSheet, Filters, KernelSpec
from pages._sections.feature_maps import pickers
from pages._shell import cache, clickable, controls, layout, text
from pages._shell.context import Context

_BY_INPUT, _BY_FILTER = "one input", "one filter"
_ORDERS: tuple[Literal["index", "norm"], ...] = ("index", "norm")
_NAME, _ACROSS, _INDEX = "feature_maps_convolution", "feature_maps_across", "feature_maps_slice"


def draw(context: Context) -> None:
    """The kernels of one convolution, and their norms."""
    model = context.model
    places = st.columns([1.8, 1.2, 1, 1.2], vertical_alignment="bottom")
    name = controls.selectbox(
        "Convolution",
        feature_maps.convolutions(model),
        key=_NAME,
        place=places[0],
        help="In order of execution; the first one lies on the picture itself.",
    )
    kernels = cache.compute_large(
        (model.spec.id, "feature_maps.filters", name), lambda: feature_maps.filters(model, name)
    )
    _, reads, height, width = kernels.weights.shape
    if kernels.on_picture and reads == 3:
        _in_colour(kernels)
    elif (height, width) == (1, 1):
        _as_matrix(kernels)
    else:
        _slice_by_slice(kernels, places)
    _words(context, kernels)
    text.render("feature_maps.filters")


def _in_colour(kernels: Filters) -> None:
    sheet = feature_maps.colour_sheet(kernels, width=1600)
    _show(
        clickable.Clickable(
            picture=clickable.encode(pictures.colour_image(sheet)),
            alt=f"The {len(kernels.weights)} filters of {kernels.layer} in colour",
            layout=sheet.layout,
            labels=tuple(_label(kernels, index) for index in sheet.layout.channels),
        ),
        kernels,
    )
    st.caption(
        f"The {len(kernels.weights)} filters of {kernels.layer} as the picture's own colours, each brought to its full "
        "range; middle grey is a weight of zero. Click one to see the map that it makes."
    )


def _as_matrix(kernels: Filters) -> None:
    filters, reads = kernels.weights.shape[:2]
    sheet = feature_maps.matrix_sheet(kernels, width=1600)
    across = feature_maps.filters_across(kernels)
    weights = kernels.weights[:, :, 0, 0]

    def pick(x: float, y: float) -> None:
        spot = feature_maps.cell_at(sheet.layout, x, y)
        if spot is not None:
            _enter(kernels, spot.column if across else spot.row)

    clickable.show(
        clickable.Clickable(
            picture=clickable.encode(pictures.sheet_image(sheet, "signed")),
            alt=f"The {filters} x {reads} weights of {kernels.layer}",
            layout=sheet.layout,
            unit="cell",
            values=weights.T if across else weights,
            axes=("input channel", "filter") if across else ("filter", "input channel"),
        ),
        pick,
        key="feature_maps_kernels",
    )
    _legend(sheet)
    st.caption(
        f"The weights of {kernels.layer}: {filters} filters ({'columns' if across else 'rows'}) of a single cell on "
        f"{reads} input channels ({'rows' if across else 'columns'}). Such a convolution looks at no neighbours, it "
        "only mixes channels. Click one to see the map of its filter."
    )


def _slice_by_slice(kernels: Filters, places: list[st.delta_generator.DeltaGenerator]) -> None:
    filters, reads = kernels.weights.shape[:2]
    across, index = _BY_INPUT, 0
    if reads > 1:
        across = controls.segmented(
            "All slices of",
            [_BY_INPUT, _BY_FILTER],
            key=_ACROSS,
            place=places[1],
            help="A deep filter has a slice for each input channel: all filters on one, or one filter on all.",
        )
        index = controls.number(
            "Input channel" if across == _BY_INPUT else "Filter",
            0,
            pickers.MOST,
            last=(reads if across == _BY_INPUT else filters) - 1,
            key=_INDEX,
            place=places[2],
            help="Whose slices are shown, counted from 0.",
        )
    order = controls.segmented(
        "Sorted by",
        _ORDERS,
        default="norm",
        key="feature_maps_kernel_order",
        place=places[3],
        help="Norm: the strongest slice first.",
    )
    spec = KernelSpec(
        across="filters" if across == _BY_INPUT else "inputs",
        index=index,
        order=order,
        width=1600,
        per_page=1024,
    )
    sheet = feature_maps.kernel_sheet(kernels, spec)
    slices = kernels.weights[:, spec.index] if across == _BY_INPUT else kernels.weights[spec.index]
    lengths = slices.flatten(1).norm(dim=1)
    noun = "filter" if across == _BY_INPUT else "input channel"
    _show(
        clickable.Clickable(
            picture=clickable.encode(pictures.sheet_image(sheet, "signed")),
            alt=f"{len(sheet.layout.channels)} slices of the kernels of {kernels.layer}",
            layout=sheet.layout,
            labels=tuple(f"{noun} {index}: norm {float(lengths[index]):.3g}" for index in sheet.layout.channels),
        ),
        kernels if across == _BY_INPUT else None,
    )
    _legend(sheet)
    own = "its only slice" if reads == 1 else f"the slice that reads input channel {spec.index}"
    what = f"every filter, {own}" if across == _BY_INPUT else f"filter {spec.index}, a slice for each input channel"
    click = " Click one to see the map that its filter makes." if across == _BY_INPUT else ""
    st.caption(f"Kernels of {kernels.layer}: {what}.{click}")


def _show(view: clickable.Clickable, kernels: Filters | None) -> None:
    def pick(x: float, y: float) -> None:
        tile = feature_maps.channel_at(view.layout, x, y)
        if kernels is not None and tile is not None:
            _enter(kernels, tile)

    clickable.show(view, pick, key="feature_maps_kernels")


def _enter(kernels: Filters, index: int) -> None:
    pickers.enter_layer(kernels.layer)
    pickers.enter_channel(index)


def _legend(sheet: ContactSheet) -> None:
    clickable.colour_bar(Scale("signed", float(sheet.low[0]), float(sheet.high[0]), "weight"))


def _label(kernels: Filters, index: int) -> str:
    return f"filter {index}: norm {float(kernels.norms[index]):.3g}, bias {float(kernels.bias[index]):.3g}"


def _norm(kernels: Filters, index: int) -> str:
    norm = float(kernels.norms[index])
    return f"{norm:.3g}" if norm >= 0.001 else "next to nothing"


def _words(context: Context, kernels: Filters) -> None:
    filters, reads, height, width = kernels.weights.shape
    largest, smallest = int(kernels.norms.argmax()), int(kernels.norms.argmin())
    layout.sentence(
        f"**{kernels.layer}** has {filters} filters of {reads} × {height} × {width} weights. The strongest is filter "
        f"**{largest}** with a norm of {_norm(kernels, largest)}, the weakest filter **{smallest}** with "
        f"{_norm(kernels, smallest)}."
    )
    layout.figure(
        pictures.norms(kernels, chosen=largest),
        key="feature_maps_norms",
        caption=f"Norm (root of the sum of squared weights) of each filter of {kernels.layer}, largest first.",
    )
    layout.download(
        "Weights (NPZ)",
        export.npz(
            {"weights": kernels.weights, "bias": kernels.bias},
            pickers.recipe(context, "feature_maps.filters", pickers.Asked(kernels.layer)),
        ),
        f"{context.model.spec.id}-{kernels.layer}.npz",
        key="feature_maps_filters_npz",
    )
