"""The methods of attribution, and any of them by its id.

``METHODS`` is the one list of them. Whatever shows, compares, tests or repeats methods reads it there.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from torch import Tensor

from convis_core.attribution.info import MethodInfo
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.results import Attribution, Method

_FILES = (
    "smoothgrad",
    "saliency",
    "input_x_gradient",
    "integrated_gradients",
    "guided_backprop",
    "grad_cam",
    "guided_grad_cam",
    "layer_cam",
    "hires_cam",
    "grad_cam_plus_plus",
)
"""The files in ``methods``, in the order in which methods are offered: the recommended one first."""

METHODS: tuple[MethodInfo, ...] = tuple(
    import_module(f"convis_core.attribution.methods.{name}").INFO for name in _FILES
)
"""All methods."""

KINDS: tuple[str, ...] = tuple(info.id for info in METHODS)
"""The ids of all methods."""


def method_info(method: str | Method) -> MethodInfo:
    """What is known of a method; where its specification changes the unit or the sign, as it changes them.

    >>> method_info("grad_cam").label
    'Grad-CAM'

    Args:
        method: its id, or a method with its settings.

    Raises:
        SpecError: when there is no such method.
    """
    name = method.id if isinstance(method, Method) else method
    info = next((known for known in METHODS if known.id == name), None)
    if info is None:
        raise SpecError(f"There is no method called {name!r}; choose one of {', '.join(KINDS)}.")
    if isinstance(method, Method) and method.spec is not None and info.varied is not None:
        return info.varied(method.spec)
    return info


def method_with(method: str | Method, *, spec: Any = None, layer: str | None = None) -> Method:
    """A method with all its settings: what is not given is the default, so that equal questions are equal.

    >>> method_with("saliency")
    Method(id='saliency', spec=None, layer=None)

    Args:
        method: its id; or a method with its settings, to which none are added.
        spec: the specification.
        layer: the layer to explain; None for the network's last layer with maps.

    Raises:
        SpecError: when there is no such method, or when it does not take what it is given.
    """
    if isinstance(method, Method):
        if spec is not None or layer is not None:
            raise SpecError("A method with its settings takes no further ones; give its id instead.")
        spec, layer = method.spec, method.layer
    info = method_info(method)
    if spec is None and info.spec_type is not None:
        spec = info.spec_type()
    if spec is not None and (info.spec_type is None or not isinstance(spec, info.spec_type)):
        takes = "no specification" if info.spec_type is None else f"a {info.spec_type.__name__}"
        raise SpecError(f"{info.label} takes {takes}, not {spec!r}.")
    if layer is not None and not info.takes_layer:
        raise SpecError(f"{info.label} explains no particular layer; leave out {layer!r}.")
    return Method(info.id, spec, layer)


def passes(method: str | Method) -> int:
    """How often a method runs the network forwards and backwards.

    >>> passes("guided_grad_cam")
    2

    Raises:
        SpecError: as ``method_with`` does.
    """
    asked = method_with(method)
    return method_info(asked).passes(asked.spec)


def attribute(
    model: LoadedModel,
    x: Tensor,
    target: int,
    method: str | Method,
    *,
    spec: Any = None,
    layer: str | None = None,
    resume: Attribution | None = None,
) -> Iterator[Attribution]:
    """What a method says of every pixel, as frames; a method without a specification has one.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        method: the id of a method, or a method with its settings.
        spec: of a method given by its id; its default when None.
        layer: likewise; the network's last layer with maps when None.
        resume: a frame to continue from, see ``continues``; not read by a method that cannot.

    Returns:
        An iterator of attributions, the last one final.

    Raises:
        SpecError: when there is no such method, or when it refuses what it is asked.
    """
    asked = method_with(method, spec=spec, layer=layer)
    info = method_info(asked)
    given = () if info.spec_type is None else (asked.spec,)
    named: dict[str, Any] = {"layer": asked.layer} if info.takes_layer else {}
    if info.continues is not None:
        named["resume"] = resume
    found = info.run(model, x, target, *given, **named)
    return iter((found,)) if isinstance(found, Attribution) else found


def final(
    model: LoadedModel, x: Tensor, target: int, method: str | Method, *, spec: Any = None, layer: str | None = None
) -> Attribution:
    """The last frame of ``attribute``.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        method: the id of a method, or a method with its settings.
        spec: as in ``attribute``.
        layer: as in ``attribute``.

    Raises:
        SpecError: as ``attribute`` does.
    """
    *_, last = attribute(model, x, target, method, spec=spec, layer=layer)
    return last


def once(method: str | Method) -> Callable[[LoadedModel, Tensor, int], Attribution]:
    """The method as a function of network, picture and class, as ``attribution.sanity`` takes it."""

    def attributes(model: LoadedModel, x: Tensor, target: int) -> Attribution:
        return final(model, x, target, method)

    return attributes


def continues(before: Method, after: Method, reached: Attribution) -> bool:
    """Whether a computation need not start from nothing, but can take what another one had reached.

    Args:
        before: what ``reached`` was asked for.
        after: what is asked for now, of the same network, picture and class.
        reached: a frame of ``before``.
    """
    info = method_info(after)
    if before.id != after.id or info.continues is None:
        return False
    return info.continues(method_with(before).spec, method_with(after).spec, reached)


def recipe_parts(method: str | Method) -> tuple[str, Any, tuple[tuple[str, str], ...]]:
    """The function of the core, the specification and the options that it takes, for the recipe of a file."""
    asked = method_with(method)
    return method_info(asked).recipe, asked.spec, (("layer", asked.layer),) if asked.layer else ()
