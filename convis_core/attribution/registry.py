"""Any method by its specification, so that pages and tests need not know one from another."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from torch import Tensor

from convis_core.attribution import methods
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.results import Attribution, IntegratedGradientsSpec, SmoothGradSpec

Kind: TypeAlias = Literal[
    "smoothgrad",
    "saliency",
    "input_x_gradient",
    "integrated_gradients",
    "guided_backprop",
    "grad_cam",
    "guided_grad_cam",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""All methods, the recommended one first."""

_ONCE: dict[str, Callable[[LoadedModel, Tensor, int], Attribution]] = {
    "saliency": methods.saliency,
    "input_x_gradient": methods.input_x_gradient,
    "guided_backprop": methods.guided_backprop,
}
_OF_A_LAYER = {"grad_cam": methods.grad_cam, "guided_grad_cam": methods.guided_grad_cam}


@dataclass(frozen=True, slots=True)
class Method:
    """A method with all that it is asked; what it does not read is None, so that equal questions are equal.

    Attributes:
        kind: one of ``KINDS``.
        smoothgrad: read by "smoothgrad"; the default specification when None.
        integrated: read by "integrated_gradients"; likewise.
        layer: read by "grad_cam" and "guided_grad_cam"; the network's last layer with maps when None.
    """

    kind: Kind
    smoothgrad: SmoothGradSpec | None = None
    integrated: IntegratedGradientsSpec | None = None
    layer: str | None = None

    @property
    def passes(self) -> int:
        """How often the network is run forwards and backwards."""
        if self.kind == "smoothgrad":
            return (self.smoothgrad or SmoothGradSpec()).n_samples
        if self.kind == "integrated_gradients":
            return (self.integrated or IntegratedGradientsSpec()).steps
        return 2 if self.kind == "guided_grad_cam" else 1


def attribute(
    model: LoadedModel, x: Tensor, target: int, method: Method, *, resume: Attribution | None = None
) -> Iterator[Attribution]:
    """What a method says of every pixel, as frames; methods of one pass have one.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        method: which, and how.
        resume: a frame that SmoothGrad can continue from (see ``continues``); other methods do not read it.

    Returns:
        An iterator of attributions, the last one final.

    Raises:
        SpecError: when the method refuses what it is asked, or there is none of this kind.
    """
    if method.kind == "smoothgrad":
        return methods.smoothgrad(model, x, target, method.smoothgrad or SmoothGradSpec(), resume=resume)
    if method.kind == "integrated_gradients":
        return methods.integrated_gradients(model, x, target, method.integrated or IntegratedGradientsSpec())
    if method.kind in _ONCE:
        return iter((_ONCE[method.kind](model, x, target),))
    if method.kind in _OF_A_LAYER:
        return iter((_OF_A_LAYER[method.kind](model, x, target, layer=method.layer),))
    raise SpecError(f"There is no method called {method.kind!r}; choose one of {', '.join(KINDS)}.")


def final(model: LoadedModel, x: Tensor, target: int, method: Method) -> Attribution:
    """The last frame of ``attribute``.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        method: which, and how.

    Raises:
        SpecError: as ``attribute`` does.
    """
    *_, last = attribute(model, x, target, method)
    return last


def once(method: Method) -> Callable[[LoadedModel, Tensor, int], Attribution]:
    """The method as a function of network, picture and class, as ``attribution.sanity`` takes it."""

    def attributes(model: LoadedModel, x: Tensor, target: int) -> Attribution:
        return final(model, x, target, method)

    return attributes


def continues(before: Method, after: Method, reached: Attribution) -> bool:
    """Whether SmoothGrad need not start from nothing: the same noise, and no more copies than are asked for.

    Args:
        before: what ``reached`` was asked for.
        after: what is asked for now, of the same network, picture and class.
        reached: a frame of ``before``.
    """
    if before.smoothgrad is None or after.smoothgrad is None or reached.sums is None:
        return False
    n_samples, variant = after.smoothgrad.n_samples, after.smoothgrad.variant
    same = replace(before.smoothgrad, n_samples=n_samples, variant=variant) == after.smoothgrad
    return same and reached.sums.samples <= n_samples


def recipe_parts(method: Method) -> tuple[str, Any, tuple[tuple[str, str], ...]]:
    """The function of the core, the specification and the options that it takes, for the recipe of a file."""
    if method.kind == "smoothgrad":
        return "attribution.smoothgrad", method.smoothgrad or SmoothGradSpec(), ()
    if method.kind == "integrated_gradients":
        return "attribution.integrated_gradients", method.integrated or IntegratedGradientsSpec(), ()
    options = (("layer", method.layer),) if method.layer else ()
    return f"attribution.{method.kind}", None, options
