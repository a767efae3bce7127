"""All layers at once: each layer's output averaged over its channels, in order."""

import streamlit as st

from convis_core import export, feature_maps
from convis_core.figures import feature_maps as pictures
from convis_core.figures.scores import percent
from convis_core.results import LayerSummary
from pages._sections.feature_maps import pickers
from pages._shell import cache, clickable, layout, text
from pages._shell.context import Context


def draw(context: Context) -> None:
    """Every layer as a picture; picking one enters it."""
    model, x = context.model, context.x
    names = pickers.layers(context)
    summaries = cache.compute_large(
        context.key("feature_maps.summarise", names), lambda: feature_maps.summarise(model, x, names)
    )
    items = cache.compute_large(
        context.key("feature_maps.gallery", names), lambda: [_item(summary) for summary in summaries]
    )
    clickable.gallery(
        items,
        lambda index: pickers.enter_layer(names[index]),
        key="feature_maps_gallery",
        least=8.5 if len(names) > len(model.spec.feature_layers) else 4.8,
    )
    st.caption(
        f"{text.plain(context.caption)} in {model.spec.label}: the output of {len(names)} layers, averaged over the "
        "channels, each on its own scale from dark (least) to bright (most). Below each: channels × cells. Click one "
        "to enter it."
    )
    first, last = summaries[0], summaries[-1]
    layout.sentence(
        f"On the way from **{first.layer}** to **{last.layer}** a map shrinks from {first.shape[1]} × {first.shape[2]} "
        f"to {last.shape[1]} × {last.shape[2]} cells, while the channels grow from {first.channels} to "
        f"{last.channels}: less and less *where*, more and more *what*."
    )
    recipe = pickers.recipe(context, "feature_maps.summarise")
    header = ("layer", "kind", "channels", "rows", "columns", "min", "max", "mean", "std", "sparsity", "dead")
    rows = [(s.layer, s.kind, *s.shape, s.minimum, s.maximum, s.mean, s.std, s.sparsity, s.dead) for s in summaries]
    with st.container(horizontal=True):
        layout.download(
            "Averages (NPZ)",
            export.npz({s.layer: s.average for s in summaries}, recipe),
            f"layers-{context.picture_id}.npz",
            key="feature_maps_layers_npz",
        )
        layout.download(
            "Statistics (CSV)",
            export.csv(header, rows, recipe),
            f"layers-{context.picture_id}.csv",
            key="feature_maps_layers_csv",
        )


def _item(summary: LayerSummary) -> clickable.Item:
    return clickable.Item(
        picture=clickable.encode(pictures.average_image(summary)),
        name=summary.layer,
        note=_shape(*summary.shape),
        tip=f"{summary.kind}: {summary.minimum:.3g} to {summary.maximum:.3g}, mean {summary.mean:.3g}, "
        f"{percent(summary.sparsity)} zeros, {summary.dead} of {summary.channels} channels dead",
    )


def _shape(channels: int, rows: int, columns: int) -> str:
    cells = f"{rows}²" if rows == columns else f"{rows} × {columns}"
    return f"{channels} × {cells}"
