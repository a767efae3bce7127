"""Segment: from the map to the object, step by step."""

import streamlit as st
from PIL import Image

from convis_core import attribution, export, segmentation
from convis_core.attribution import Method
from convis_core.errors import ConvisError
from convis_core.figures import cutout, render
from convis_core.figures import saliency as figures
from convis_core.figures.scores import percent
from convis_core.results import Attribution, GrabCutSpec, Segmentation
from pages._sections.saliency import controls, growing, labels
from pages._shell import cache, layout, text
from pages._shell import controls as widgets
from pages._shell.context import Context

_SIDE = 640
_PROPORTIONS = (1.45, 1)
"""Of the cut-out and the outline."""
_ONLY_A_PART = 0.05


def draw(context: Context) -> None:
    """Sliders; the map, the seeds, the mask; the outline and the cut-out."""
    asked, answer = st.columns([1, 3.7])
    with asked, st.container(gap="xsmall"):
        method = controls.method(context)
        spec = _spec()
    with answer:
        try:
            found = growing.finished(context, method, waiting="The object is cut out when the map is complete.")
            if found is None:
                st.image(context.view(448), alt=context.caption)
                return
            cut = _cut(context, method, found, spec)
        except ConvisError as error:
            text.refuse(error)
            return
        _steps(context, method, found, cut)
        text.render("saliency.segment")


def _spec() -> GrabCutSpec:
    upper = widgets.slider(
        "Object above percentile",
        (80, 99, 1),
        95,
        key="saliency_upper",
        help="Pixels whose smoothed saliency is above this percentile are certainly the object; 80 to 99.",
    )
    lower = widgets.slider(
        "Background below percentile",
        (5, 70, 1),
        30,
        key="saliency_lower",
        help="Pixels below this percentile are certainly not the object; 5 to 70.",
    )
    smoothing = widgets.slider(
        "Smoothing",
        (0.0, 20.0, 1.0),
        6.0,
        key="saliency_smoothing",
        help="Standard deviation of the blur of the map before the seeds are taken, 0 to 20 of the network's pixels.",
    )
    iterations = widgets.slider(
        "Rounds of GrabCut",
        (1, 15, 1),
        5,
        key="saliency_rounds",
        help="How often colours are learned and pixels divided anew, 1 to 15.",
    )
    return GrabCutSpec(
        foreground_percentile=float(upper),
        background_percentile=float(lower),
        iterations=iterations,
        smoothing=smoothing,
    )


def _cut(context: Context, method: Method, found: Attribution, spec: GrabCutSpec) -> Segmentation:
    picture = context.picture
    return cache.compute_large(
        context.key("segmentation.grabcut", context.target, method, spec),
        lambda: segmentation.grabcut(picture, found, spec),
    )


def _steps(context: Context, method: Method, found: Attribution, cut: Segmentation) -> None:
    with st.container(key="saliency_cut_pictures"):
        final, outlined = st.columns(_PROPORTIONS)
    edge = segmentation.outline(cut.mask, thickness=max(1, max(cut.picture.size) // 300))
    _tile(final, "Cut-out", cutout.on_squares(cut, pixels=_SIDE), "What is left, at the picture's full resolution.")
    _tile(outlined, "Outline", cutout.outlined(cut, edge, pixels=_SIDE), "The edge of the object over the original.")
    layout.sentence(_sentence(context.target_name, cut))
    _download(context, method, cut)
    map_place, seeds_place, mask_place = st.columns(3)
    label = labels.LABELS[method.id]
    relative = render.coloured(attribution.relative(found.magnitude()), figures.RELATIVE_SCALE, pixels=448)
    _tile(
        map_place,
        "1. The map",
        relative,
        f"{label}, magnitude; the square that the network sees.",
    )
    _tile(
        seeds_place,
        "2. The seeds",
        cutout.seeds(cut, pixels=_SIDE),
        "Orange: certainly the object. Blue: certainly not. The rest is for GrabCut to decide.",
    )
    _tile(mask_place, "3. The mask", cutout.mask(cut, pixels=_SIDE), "White: the largest connected part it found.")


def _sentence(name: str, cut: Segmentation) -> str:
    share = cut.share()
    told = f"The object that speaks for **{name}** covers **{percent(share)}** of the picture."
    if share < _ONLY_A_PART:
        return f"{told} That is a part rather than the whole: with a lower upper percentile, more of it is object."
    return told


def _tile(place: st.delta_generator.DeltaGenerator, title: str, picture: Image.Image, caption: str) -> None:
    with place, st.container(gap="xsmall"):
        st.markdown(f"**{title}**")
        st.image(picture, width="stretch", alt=f"{title}: {caption}")
        st.caption(caption)


def _download(context: Context, method: Method, cut: Segmentation) -> None:
    basis = context.recipe(*attribution.recipe_parts(method))
    recipe = context.recipe_from(basis, "segmentation.grabcut", cut.spec)
    with st.container(horizontal=True):
        layout.download(
            "Cut-out (PNG)", export.png(cut.foreground, recipe), f"cut-out-{context.picture_id}.png", key="saliency_cut"
        )
        layout.download(
            "Mask and seeds (NPZ)",
            export.npz({"alpha": cut.alpha, "seeds": cut.seeds}, recipe),
            f"mask-{context.picture_id}.npz",
            key="saliency_mask",
        )
        layout.download("Recipe (Python)", recipe.as_python().encode(), "cut_out.py", key="saliency_cut_recipe")
