"""The sliders of the regularisers and of the random views."""

from dataclasses import replace

import streamlit as st

from convis_core.results import Regularisers, Transforms
from pages._shell import controls


def regularisers(chosen: str, base: Regularisers, on_pixels: bool) -> Regularisers:
    """What is taken away from the picture.

    Args:
        chosen: the lesson; its controls are its own.
        base: what they begin with.
        on_pixels: whether pixels are drawn; blur and clipping need them.
    """
    st.markdown("**Held back by**")
    l2 = controls.slider(
        "L2 decay",
        (0.0, 2.0, 0.01),
        float(base.l2),
        key=f"class_models_{chosen}_l2",
        help="Pull towards the starting colour, 0 to 2.",
    )
    variation = controls.slider(
        "Total variation",
        (0.0, 1.0, 0.01),
        float(base.total_variation),
        key=f"class_models_{chosen}_variation",
        help="Cost of differences between neighbouring pixels, 0 to 1.",
    )
    if not on_pixels:
        st.caption("Blur and clipping change pixels; with frequencies they are off.")
    blur = controls.slider(
        "Blur",
        (0.0, 3.0, 0.1),
        float(base.blur_sigma),
        key=f"class_models_{chosen}_blur",
        help="Sigma of the Gaussian in pixels, 0 to 3; 0 is off.",
        disabled=not on_pixels,
    )
    every = controls.slider(
        "Blur every",
        (1, 16, 1),
        base.blur_every,
        key=f"class_models_{chosen}_blur_every",
        help="Steps from one blur to the next, 1 to 16.",
        disabled=not on_pixels,
    )
    small = controls.slider(
        "Clip small pixels",
        (0.0, 0.5, 0.01),
        float(base.small_norm),
        key=f"class_models_{chosen}_small",
        help="Share of the pixels of smallest norm that go back to the starting colour after each step, 0 to 0.5.",
        disabled=not on_pixels,
    )
    useless = controls.slider(
        "Clip small contributions",
        (0.0, 0.5, 0.01),
        float(base.small_contribution),
        key=f"class_models_{chosen}_useless",
        help="The same for the pixels that contribute least to the score, 0 to 0.5.",
        disabled=not on_pixels,
    )
    in_range = controls.toggle(
        "Keep colours in range",
        value=base.keep_in_range,
        key=f"class_models_{chosen}_range",
        help="Values below black and above white are cut off after each step.",
        disabled=not on_pixels,
    )
    if not on_pixels:
        return Regularisers(l2=l2, total_variation=variation)
    return Regularisers(l2, variation, blur, every, small, useless, in_range)


def transforms(chosen: str, base: Transforms) -> Transforms:
    """What the picture must survive.

    Args:
        chosen: the lesson; its controls are its own.
        base: what they begin with.
    """
    st.markdown("**Must survive**")
    views = controls.slider(
        "Views a step",
        (1, 8, 1),
        base.views,
        key=f"class_models_{chosen}_views",
        help="Randomly disturbed copies whose gradients are averaged, 1 to 8. Twice the views take twice the time.",
    )
    jitter = controls.slider(
        "Jitter",
        (0, 32, 1),
        base.jitter,
        key=f"class_models_{chosen}_jitter",
        help="The picture is rolled by up to so many pixels before each step, 0 to 32.",
    )
    zoom = controls.interval(
        "Zoom",
        (0.5, 1.5, 0.05),
        base.zoom,
        key=f"class_models_{chosen}_zoom",
        help="Smallest and largest side of the part that the network sees, as a share of the picture, 0.5 to 1.5.",
    )
    rotation = controls.slider(
        "Rotation",
        (0.0, 30.0, 1.0),
        float(base.rotation),
        key=f"class_models_{chosen}_rotation",
        help="By up to 0 to 30 degrees.",
    )
    noise = controls.slider(
        "Noise",
        (0.0, 0.5, 0.01),
        float(base.noise[0]),
        key=f"class_models_{chosen}_noise",
        help="Sigma at the first step, 0 to 0.5 of the range from black to white; it fades while the drawing grows.",
    )
    return replace(
        base,
        views=views,
        jitter=jitter,
        zoom=zoom,
        rotation=rotation,
        noise=(noise, min(noise, base.noise[1])),
    )
