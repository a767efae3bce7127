"""The sum of products behind one cell, with its numbers."""

import streamlit as st

from convis_core import feature_maps
from convis_core.figures import feature_maps as pictures
from convis_core.results import Cell, SumOfProducts
from pages._shell import cache, layout
from pages._shell.context import Context


def draw(context: Context, name: str, cell: Cell) -> None:
    """All terms where the convolution lies on the picture; their number and their sum where it lies deeper."""
    model, x = context.model, context.x
    st.markdown("**Where its value comes from**")
    behind = feature_maps.underlying_convolution(model, name)
    if behind is None:
        st.markdown(
            f"The cells of {name} are not the sum of one convolution: here maps are pooled, added or laid side by side."
        )
        return
    found = cache.compute(
        context.key("feature_maps.sum_of_products", name, cell),
        lambda: feature_maps.sum_of_products(model, x, name, cell),
    )
    if found.weights.shape[0] == 3 and feature_maps.filters(model, behind).on_picture:
        layout.figure(
            pictures.products(found),
            key="feature_maps_products",
            caption=f"The {found.weights.numel()} products of {behind} at this cell: what the kernel lies on "
            "(brightness after normalisation), times its weights. Red is positive, blue negative.",
        )
    _sum(found)


def _sum(found: SumOfProducts) -> None:
    reads, height, width = found.weights.shape
    if reads == 3:
        sums = zip(found.by_input().tolist(), ("R", "G", "B"), strict=True)
        terms = " ".join(f"{value:+.3f}_{{{colour}}}" for value, colour in sums)
        st.latex(rf"{terms} {found.bias:+.3f}_{{\text{{bias}}}} = {found.total:.3f}")
    else:
        st.markdown(
            f"**{found.layer}** adds up {reads * height * width:,} products, {reads} channels × {height} × {width}: "
            f"{found.supporting():.2f} for and {found.opposing():.2f} against. With the bias of {found.bias:.2f} that "
            f"makes **{found.total:.3f}**."
        )
    if found.then:
        st.markdown("Then " + ", ".join(f"**{name}** makes it {value:.3f}" for name, value in found.then) + ".")
    if bool(found.outside.any()):
        st.caption(f"{int(found.outside.sum())} places of the kernel lie beyond the border, where everything is 0.")
