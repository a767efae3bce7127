"""What the saliency page is asked: the method and its settings, and how the map is shown."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from convis_core import attribution
from convis_core.attribution import CONVENTIONS, KINDS, Method
from convis_core.results import Convention, IntegratedGradientsSpec, SmoothGradSpec
from pages._sections.saliency import labels
from pages._shell import controls, text
from pages._shell.context import Context

_CHANNELS = {"paper": "strongest", "captum": "magnitude of the sum", "pair": "sum of magnitudes"}
_NOISE, _FIRST_NOISE = (0, 50, 1), 15
"""Least, greatest and step of the noise level in percent; and its default."""
_SAMPLES, _FIRST_SAMPLES = (1, 100, 1), 50


@dataclass(frozen=True, slots=True)
class Display:
    """How a map is shown.

    Attributes:
        with_sign: red and blue rather than dark and bright.
        opacity: of the colours over the photograph, 0 to 1.
        percentile: values above it get the last colour.
        channels: how three channels become one magnitude; one of ``attribution.CHANNEL_RULES``.
    """

    with_sign: bool
    opacity: float
    percentile: float
    channels: str


def method(context: Context) -> Method:
    """The method, a text about it, and what it can be asked."""
    kind = controls.selectbox(
        "Method",
        KINDS,
        format_func=labels.LABELS.__getitem__,
        key="saliency_method",
        help="How the map is computed. The text below says what the chosen method does.",
    )
    info = attribution.method_info(kind)
    # A specification without controls of its own keeps its defaults.
    spec = _SETTINGS[info.spec_type]() if info.spec_type in _SETTINGS else None
    layer = _layer(context) if info.takes_layer else None
    # Below what can be set, which would otherwise slide out of view.
    st.caption(text.read(f"methods/{kind}"))
    return attribution.method_with(kind, spec=spec, layer=layer)


def plain_method(context: Context, kind: str) -> Method:
    """A method of the comparison, with the settings of the map where it has some."""
    info = attribution.method_info(kind)
    specs = {
        SmoothGradSpec: SmoothGradSpec(noise_level=noise_asked(), n_samples=samples_asked()),
        IntegratedGradientsSpec: IntegratedGradientsSpec(steps=32),
    }
    spec = specs.get(info.spec_type) if info.spec_type else None
    layer = context.model.spec.cam_layer if info.takes_layer else None
    return attribution.method_with(kind, spec=spec, layer=layer)


def noise_asked() -> float:
    """The noise level last set, as a share of the picture's range."""
    return controls.value_of("saliency_noise", _NOISE, _FIRST_NOISE) / 100


def samples_asked() -> int:
    """The number of noisy copies last set."""
    return controls.value_of("saliency_samples", _SAMPLES, _FIRST_SAMPLES)


def convention() -> Convention | None:
    """The preset that is chosen; None for one's own settings."""
    chosen = st.session_state.get("saliency_convention", labels.OWN)
    return next((known for known in CONVENTIONS if known.id == chosen), None)


def samples() -> int:
    """The slider of the number of noisy copies."""
    return controls.slider(
        "Noisy copies",
        _SAMPLES,
        _FIRST_SAMPLES,
        key="saliency_samples",
        help="How many noisy copies of the picture are averaged, 1 to 100. About 50 are enough.",
    )


def display() -> Display:
    """Signs or not, and the rest in a popover."""
    shown = controls.segmented(
        "Show",
        ["magnitude", "signed"],
        key="saliency_show",
        help="Magnitude: how much. Signed: the sum over the colour channels, red raises the score, blue lowers it.",
    )
    preset = convention()
    # No help on the popovers themselves: it would lie over what they open.
    with st.popover("Display", icon=":material/tune:", width="stretch"):
        opacity = controls.slider(
            "Opacity of the map",
            (0.0, 1.0, 0.05),
            0.6,
            key="saliency_opacity",
            help="0 shows the picture alone, 1 the map alone.",
        )
        percentile = controls.slider(
            "Clip at percentile",
            (90.0, 100.0, 0.5),
            99.0,
            key="saliency_clip",
            help="Values above this percentile get the brightest colour. Display only: hovering shows the values.",
        )
        channels = controls.selectbox(
            "Colour channels",
            list(attribution.CHANNEL_RULES),
            key="saliency_channels",
            disabled=preset is not None or shown == "signed",
            help="How red, green and blue become one magnitude. A convention brings its own rule.",
        )
    if preset is not None and st.session_state.get("saliency_method") == "smoothgrad":
        channels = _CHANNELS[preset.id]
    return Display(shown == "signed", opacity, percentile, channels)


def _smoothgrad() -> SmoothGradSpec:
    preset_id = controls.selectbox(
        "Convention",
        [labels.OWN, *(known.id for known in CONVENTIONS)],
        format_func=lambda chosen: labels.CONVENTIONS.get(chosen, chosen),
        key="saliency_convention",
        help="SmoothGrad as its paper, Captum or PAIR's library do it when nothing else is asked.",
    )
    preset = next((known for known in CONVENTIONS if known.id == preset_id), None)
    if preset is not None:
        spec = preset.spec
        st.caption(f"Noise {100 * spec.noise_level:.3g} %, {spec.n_samples} copies, {labels.VARIANTS[spec.variant]}.")
        return spec
    noise = controls.slider(
        "Noise level",
        _NOISE,
        _FIRST_NOISE,
        format="%d %%",
        key="saliency_noise",
        help="Standard deviation of the noise, in percent of the picture's range; 0 to 50, best at 10 to 20.",
    )
    n_samples = samples()
    variant = controls.selectbox(
        "Average",
        list(labels.VARIANTS),
        format_func=labels.VARIANTS.__getitem__,
        key="saliency_variant",
        help="What becomes of the copies' gradients: their mean, the mean of their squares, or their variance.",
    )
    seed, antithetic = _drawn()
    return SmoothGradSpec(
        noise_level=noise / 100, n_samples=n_samples, seed=seed, variant=variant, antithetic=antithetic
    )


def _drawn() -> tuple[int, bool]:
    """How the noise is drawn: its seed, and whether each copy has a counterpart."""
    with st.popover("Noise", icon=":material/grain:", width="stretch"):
        seed = controls.number(
            "Seed",
            0,
            9999,
            key="saliency_seed",
            help="Another seed is other noise, 0 to 9999. A map that looks different then had too few copies.",
        )
        antithetic = controls.toggle(
            "In pairs of opposite signs",
            key="saliency_antithetic",
            help="Antithetic noise: every second copy is the picture minus the noise of the copy before.",
        )
    return seed, antithetic


def _integrated() -> IntegratedGradientsSpec:
    baseline = controls.selectbox(
        "Begin with",
        labels.BASELINES,
        key="saliency_baseline",
        help="The picture that stands for nothing; the map tells what leads from it to yours.",
    )
    steps = controls.slider(
        "Steps",
        (8, 128, 8),
        48,
        key="saliency_steps",
        help="Pictures between the two whose gradients are added up, 8 to 128.",
    )
    return replace(IntegratedGradientsSpec(), steps=steps, baseline=baseline)


def _layer(context: Context) -> str:
    spec = context.model.spec
    return controls.selectbox(
        "Layer",
        [spec.cam_layer, *(name for name in reversed(spec.feature_layers) if name != spec.cam_layer)],
        key="saliency_layer",
        help="Whose maps are weighed, the last first. The earlier, the finer and the less about the class.",
    )


_SETTINGS: dict[type[Any], Callable[[], Any]] = {SmoothGradSpec: _smoothgrad, IntegratedGradientsSpec: _integrated}
"""The controls of each kind of specification."""
