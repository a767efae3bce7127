"""One layer: all its channels on a contact sheet."""

import math
from dataclasses import replace

import streamlit as st
from PIL import Image
from torch import Tensor

from convis_core import export, feature_maps
from convis_core.figures import feature_maps as pictures
from convis_core.figures.scores import percent
from convis_core.results import ContactSheet, FeatureMaps, SheetSpec
from convis_core.results.sheets import Order, Scale
from pages._sections.feature_maps import pickers
from pages._shell import cache, clickable, controls, layout
from pages._shell.context import Context

_ORDERS: dict[str, Order] = {
    "index": "index",
    "mean activation": "activation",
    "variance": "variance",
    "contribution to the class": "contribution",
}
_SCALES: dict[str, Scale] = {"of its own": "channel", "shared": "layer"}


def draw(context: Context) -> None:
    """The sheet, its colours explained, and numbers about the channels."""
    which, by, how, page = st.columns([1.3, 1.3, 1, 0.7], vertical_alignment="bottom")
    with which:
        name = pickers.layer(context)
    maps = pickers.maps(context, name)
    order = controls.selectbox(
        "Sorted by",
        list(_ORDERS),
        key="feature_maps_order",
        place=by,
        help="Largest first. Contribution: gradient of the class logit times activation, summed over the cells.",
    )
    scale = controls.segmented(
        "Colour scale",
        list(_SCALES),
        key="feature_maps_scale",
        place=how,
        help="Of its own: each channel from its least to its most. Shared: one scale for the layer, to compare.",
    )
    asked = SheetSpec(order=_ORDERS[order], scale=_SCALES[scale], width=1600)
    number = controls.number(
        "Sheet",
        1,
        99,
        last=math.ceil(len(maps.values) / asked.per_page),
        key="feature_maps_page",
        place=page,
        help=f"Sheets hold {asked.per_page} channels each; most layers have one.",
    )
    spec = replace(asked, page=number - 1)
    pull = contributions(context, name) if spec.order == "contribution" else None
    key = context.key("feature_maps.contact_sheet", name, spec, context.target if pull is not None else None)
    sheet = cache.compute_large(key, lambda: feature_maps.contact_sheet(maps, spec, contributions=pull))
    _show(maps, sheet, cache.compute_large((key, "encoded"), lambda: clickable.encode(_coloured(maps, sheet))), pull)
    _legend(maps, sheet, spec)
    _numbers(maps)
    recipe = pickers.recipe(
        context,
        "feature_maps.contact_sheet",
        pickers.Asked(name, spec=spec),
        target=None if pull is None else context.target,
    )
    file = cache.compute_large((key, "file"), lambda: export.png(_coloured(maps, sheet), recipe))
    _downloads(context, maps, file, recipe, pull)


def contributions(context: Context, name: str) -> Tensor:
    """Of each channel of a layer to the class of the context."""
    model, x, target = context.model, context.x, context.target
    return cache.compute(
        context.key("feature_maps.contributions", name, target),
        lambda: feature_maps.contributions(model, x, name, target),
    )


def _coloured(maps: FeatureMaps, sheet: ContactSheet) -> Image.Image:
    dead = set(maps.statistics.dead.nonzero().flatten().tolist())
    return pictures.sheet_image(sheet, "activation", struck=dead)


def _show(maps: FeatureMaps, sheet: ContactSheet, picture: clickable.Encoded, pull: Tensor | None) -> None:
    shown = sheet.layout.channels

    def label(channel: int) -> str:
        line = pickers.described(maps.statistics, channel)
        return line if pull is None else f"{line}, contributes {float(pull[channel]):+.3g}"

    def pick(x: float, y: float) -> None:
        channel = feature_maps.channel_at(sheet.layout, x, y)
        if channel is not None:
            pickers.enter_channel(channel)

    clickable.show(
        clickable.Clickable(
            picture=picture,
            alt=f"{len(shown)} channels of layer {maps.layer}, one small map each. Arrow keys and Enter pick one.",
            layout=sheet.layout,
            labels=tuple(label(channel) for channel in shown),
            least=620,
        ),
        pick,
        key="feature_maps_sheet",
    )


def _legend(maps: FeatureMaps, sheet: ContactSheet, spec: SheetSpec) -> None:
    if spec.scale == "channel":
        scale = pictures.activation_scale(maps.values, "activation of each channel")
        clickable.colour_bar(scale, low="least", high="most")
    else:
        clickable.colour_bar(pictures.activation_scale(maps.values, "activation"))
    channels, rows, columns = maps.values.shape
    which = f" Sheet {spec.page + 1} of {sheet.pages}." if sheet.pages > 1 else ""
    struck = " Crossed out: channels that say nothing about this picture." if bool(maps.statistics.dead.any()) else ""
    st.caption(
        f"{len(sheet.layout.channels)} of {channels} channels of {maps.layer}, {rows} × {columns} cells each.{which}"
        f"{struck} Point at one for its numbers, click to enter it."
    )


def _numbers(maps: FeatureMaps) -> None:
    found = feature_maps.summary(maps)
    silence = (
        f"**{found.dead} of {found.channels}** channels say nothing" if found.dead else "every channel says something"
    )
    zeros = f"**{percent(found.sparsity)}** of all cells are" if found.sparsity else "no cell is"
    layout.sentence(
        f"In {maps.layer} {silence} about this picture, and {zeros} exactly zero. Channel "
        f"**{int(maps.statistics.mean.argmax())}** is the most active on average."
    )
    metrics = (
        ("Least", f"{found.minimum:.3g}"),
        ("Most", f"{found.maximum:.3g}"),
        ("Mean", f"{found.mean:.3g}"),
        ("Zeros", percent(found.sparsity)),
        ("Dead channels", f"{found.dead} of {found.channels}"),
    )
    for place, (label, value) in zip(st.columns(len(metrics)), metrics, strict=True):
        place.metric(label, value)


def _downloads(context: Context, maps: FeatureMaps, sheet: bytes, recipe: export.Recipe, pull: Tensor | None) -> None:
    found = maps.statistics
    columns = {
        "min": found.minimum,
        "max": found.maximum,
        "mean": found.mean,
        "std": found.std,
        "sparsity": found.sparsity,
        "dead": found.dead,
    } | ({} if pull is None else {"contribution": pull})
    rows = enumerate(zip(*(column.tolist() for column in columns.values()), strict=True))
    with st.container(horizontal=True):
        layout.download("Sheet (PNG)", sheet, f"{maps.layer}-{context.picture_id}.png", key="feature_maps_sheet_png")
        layout.download(
            "Statistics of the channels (CSV)",
            export.csv(("channel", *columns), ((index, *row) for index, row in rows), recipe),
            f"{maps.layer}-{context.picture_id}.csv",
            key="feature_maps_sheet_csv",
        )
