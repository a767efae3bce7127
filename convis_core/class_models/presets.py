"""Presets, from plain ascent, which ends in noise, to a recognisable picture."""

from dataclasses import replace

from convis_core.results.class_models import ROBUST, ClassModelSpec, Regularisers, Transforms

RAW = ClassModelSpec(
    parameterisation="pixels",
    start="zeros",
    learning_rate=0.01,
    cool_down=0.0,
    transforms=Transforms(),
    steps_at_once=1,
)
"""Plain ascent on the pixels: noise that the network classifies with high confidence."""

L2 = replace(RAW, regularisers=Regularisers(l2=1.0))
"""The article's preset: a penalty on |z|^2 (Simonyan et al. 2013)."""

BLUR = replace(RAW, learning_rate=0.03, regularisers=Regularisers(blur_sigma=1.0, blur_every=4))
"""A blur every few steps, so that high frequencies cannot accumulate."""

YOSINSKI = replace(
    RAW,
    learning_rate=0.05,
    regularisers=Regularisers(l2=0.05, blur_sigma=1.0, blur_every=4, small_norm=0.05, small_contribution=0.05),
    transforms=Transforms(jitter=4),
)
"""Decay, blur, and clipping of small pixels and small contributions together (Yosinski et al. 2015)."""

MODERN = ClassModelSpec()
"""Fourier coefficients of decorrelated colours, seen through robust views (after Olah et al. 2017)."""

FEATURE = replace(MODERN, transforms=replace(ROBUST, noise=(0.05, 0.02), zoom=(0.9, 1.1), sides=(1.0,)))
"""For channels, neurons and layers: weaker transforms at full size, since strong noise destroys fine texture."""

PRESETS: tuple[tuple[str, ClassModelSpec], ...] = (
    ("raw", RAW),
    ("l2", L2),
    ("blur", BLUR),
    ("yosinski", YOSINSKI),
    ("modern", MODERN),
)
"""The presets in teaching order: name, spec."""
