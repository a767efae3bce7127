"""What the saliency page calls methods and their settings; all that is said of a method is read from the registry."""

from convis_core import attribution
from convis_core.attribution import METHODS, Method
from convis_core.results import Baseline, SmoothGradSpec, SmoothGradVariant

LABELS: dict[str, str] = {info.id: info.label for info in METHODS}
VARIANTS: dict[SmoothGradVariant, str] = {
    "mean": "mean",
    "squared": "mean of squares",
    "variance": "variance",
    "absolute": "mean of magnitudes",
}
BASELINES: tuple[Baseline, ...] = ("black", "grey", "white", "mean", "blurred")
OWN = "my own settings"
CONVENTIONS = {"paper": "the paper", "captum": "Captum", "pair": "PAIR"}
"""Short names of the conventions of SmoothGrad."""


def title(method: Method) -> str:
    """The method, and the layer that it explains if it explains one."""
    label = LABELS[method.id]
    return f"{label} at layer {method.layer}" if method.layer else label


def unit_of_work(method: Method) -> str:
    """What a growing estimate consists of."""
    return "noisy copies" if isinstance(method.spec, SmoothGradSpec) else "steps"


def signs(method: Method) -> str:
    """What red and blue say in a signed map."""
    if attribution.method_info(method).derivative:
        return "Red: brighter raises the score; blue: brighter lowers it. "
    return "Red counts for the class, blue against it. "
