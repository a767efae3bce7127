"""The sliders of the regularisers and of the random views."""

from dataclasses import replace
from typing import Any

import streamlit as st

from convis_core.results import Regularisers, Transforms

_KEPT: dict[str, Any] = {"bind": "query-params", "persist_state": "session"}


def regularisers(chosen: str, base: Regularisers, on_pixels: bool) -> Regularisers:
    """What is taken away from the picture.

    Args:
        chosen: the lesson; its controls are its own.
        base: what they begin with.
        on_pixels: whether pixels are drawn; blur and clipping need them.
    """
    st.markdown("**Held back by**")
    l2 = _slider(
        "L2 decay", (0.0, 2.0, 0.01), base.l2, f"class_models_{chosen}_l2", "Pull towards the starting colour, 0 to 2."
    )
    variation = _slider(
        "Total variation",
        (0.0, 1.0, 0.01),
        base.total_variation,
        f"class_models_{chosen}_variation",
        "Cost of differences between neighbouring pixels, 0 to 1.",
    )
    if not on_pixels:
        st.caption("Blur and clipping change pixels; with frequencies they are off.")
    blur = _slider(
        "Blur",
        (0.0, 3.0, 0.1),
        base.blur_sigma,
        f"class_models_{chosen}_blur",
        "Sigma of the Gaussian in pixels, 0 to 3; 0 is off.",
        disabled=not on_pixels,
    )
    every = st.slider(
        "Blur every",
        1,
        16,
        base.blur_every,
        key=f"class_models_{chosen}_blur_every",
        help="Steps from one blur to the next, 1 to 16.",
        disabled=not on_pixels,
        **_KEPT,
    )
    small = _slider(
        "Clip small pixels",
        (0.0, 0.5, 0.01),
        base.small_norm,
        f"class_models_{chosen}_small",
        "Share of the pixels of smallest norm that go back to the starting colour after each step, 0 to 0.5.",
        disabled=not on_pixels,
    )
    useless = _slider(
        "Clip small contributions",
        (0.0, 0.5, 0.01),
        base.small_contribution,
        f"class_models_{chosen}_useless",
        "The same for the pixels that contribute least to the score, 0 to 0.5.",
        disabled=not on_pixels,
    )
    in_range = st.toggle(
        "Keep colours in range",
        base.keep_in_range,
        key=f"class_models_{chosen}_range",
        help="Values below black and above white are cut off after each step.",
        disabled=not on_pixels,
        **_KEPT,
    )
    if not on_pixels:
        return Regularisers(l2=l2, total_variation=variation)
    return Regularisers(l2, variation, blur, int(every), small, useless, bool(in_range))


def transforms(chosen: str, base: Transforms) -> Transforms:
    """What the picture must survive.

    Args:
        chosen: the lesson; its controls are its own.
        base: what they begin with.
    """
    st.markdown("**Must survive**")
    views = st.slider(
        "Views a step",
        1,
        8,
        base.views,
        key=f"class_models_{chosen}_views",
        help="Randomly disturbed copies whose gradients are averaged, 1 to 8. Twice the views take twice the time.",
        **_KEPT,
    )
    jitter = st.slider(
        "Jitter",
        0,
        32,
        base.jitter,
        key=f"class_models_{chosen}_jitter",
        help="The picture is rolled by up to so many pixels before each step, 0 to 32.",
        **_KEPT,
    )
    zoom = st.slider(
        "Zoom",
        0.5,
        1.5,
        base.zoom,
        0.05,
        key=f"class_models_{chosen}_zoom",
        help="Smallest and largest side of the part that the network sees, as a share of the picture, 0.5 to 1.5.",
        **_KEPT,
    )
    rotation = _slider(
        "Rotation", (0.0, 30.0, 1.0), base.rotation, f"class_models_{chosen}_rotation", "By up to 0 to 30 degrees."
    )
    noise = _slider(
        "Noise",
        (0.0, 0.5, 0.01),
        base.noise[0],
        f"class_models_{chosen}_noise",
        "Sigma at the first step, 0 to 0.5 of the range from black to white; it fades while the drawing grows.",
    )
    return replace(
        base,
        views=int(views),
        jitter=int(jitter),
        zoom=(float(zoom[0]), float(zoom[1])),
        rotation=rotation,
        noise=(noise, min(noise, base.noise[1])),
    )


def _slider(
    label: str,
    span: tuple[float, float, float],
    value: float,
    key: str,
    says: str,
    *,
    disabled: bool = False,
) -> float:
    low, high, step = span
    return float(st.slider(label, low, high, float(value), step, key=key, help=says, disabled=disabled, **_KEPT))
