"""The attribution methods, and access to any of them by its id.

``METHODS`` is the only list of methods: whatever displays, compares, tests or repeats them reads it.
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
    """The record of a method, adapted to its specification where that changes the unit or the sign.

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
    """A method with all its settings, defaults filled in, so that equal requests are equal records.

    >>> method_with("saliency")
    Method(id='saliency', spec=None, layer=None)

    Args:
        method: its id; or a method with its settings, to which none are added.
        spec: the specification.
        layer: the layer to explain; None for the network's last layer with maps.

    Raises:
        SpecError: when there is no such method, or when it does not accept these settings.
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
    """The number of forward and backward passes of a method.

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
    """Computes an attribution by any method, as an iterator of estimates; one without a specification yields one.

    Args:
        model: the network.
        x: pixels in [0, 1], float32 [1, 3, S, S].
        target: index of the class.
        method: the id of a method, or a method with its settings.
        spec: specification of a method given by its id; the default when None.
        layer: likewise; the network's last layer with maps when None.
        resume: a frame to continue from, see ``continues``; ignored by a method that cannot.

    Returns:
        An iterator of attributions, the last one final.

    Raises:
        SpecError: when there is no such method, or when it refuses its arguments.

    >>> import torch
    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> from convis_core.results import SmoothGradSpec
    >>> eight = SmoothGradSpec(n_samples=8)
    >>> [(frame.done, frame.total) for frame in attribute(model, x, 1, "smoothgrad", spec=eight)]
    [(4, 8), (8, 8)]
    """
    asked = method_with(method, spec=spec, layer=layer)
    info = method_info(asked)
    given = () if info.spec_type is None else (asked.spec,)
    named: dict[str, Any] = {"layer": asked.layer} if info.takes_layer else {}
    if info.continues is not None:
        named["resume"] = resume
    result = info.run(model, x, target, *given, **named)
    return iter((result,)) if isinstance(result, Attribution) else result


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

    >>> import torch
    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> torch.equal(final(model, x, 1, "saliency").values.flatten(), linear[1].weight[1])
    True
    """
    *_, last = attribute(model, x, target, method, spec=spec, layer=layer)
    return last


def as_explainer(method: str | Method) -> Callable[[LoadedModel, Tensor, int], Attribution]:
    """The method as a function of network, picture and class, the form that ``attribution.sanity`` takes.

    >>> import torch
    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> as_explainer("input_x_gradient")(model, x, 1).method
    'input x gradient'
    """

    def attributes(model: LoadedModel, x: Tensor, target: int) -> Attribution:
        return final(model, x, target, method)

    return attributes


def continues(before: Method, after: Method, reached: Attribution) -> bool:
    """Whether a computation can continue from a frame of another one instead of starting over.

    Args:
        before: the method and settings that ``reached`` was computed with.
        after: those requested now, for the same network, picture and class.
        reached: a frame of ``before``.

    >>> import torch
    >>> from convis_core import models
    >>> linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    >>> model, x = models.wrap(linear, input_size=4), torch.rand(1, 3, 4, 4)
    >>> from convis_core.results import SmoothGradSpec
    >>> four, eight = (Method("smoothgrad", SmoothGradSpec(n_samples=count)) for count in (4, 8))
    >>> continues(four, eight, final(model, x, 1, four)), continues(eight, four, final(model, x, 1, eight))
    (True, False)
    """
    info = method_info(after)
    if before.id != after.id or info.continues is None:
        return False
    return info.continues(method_with(before).spec, method_with(after).spec, reached)


def recipe_parts(method: str | Method) -> tuple[str, Any, tuple[tuple[str, str], ...]]:
    """The function, the specification and the options that repeat a method, for the recipe in a file.

    >>> recipe_parts(Method("grad_cam", layer="head"))
    ('attribution.grad_cam', None, (('layer', 'head'),))
    """
    asked = method_with(method)
    return method_info(asked).recipe, asked.spec, (("layer", asked.layer),) if asked.layer else ()
