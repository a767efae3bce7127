"""The record that describes a method; each file in ``methods`` ends with one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convis_core.results import Attribution

PER_PIXEL = "change of logit per unit of pixel"
"""The unit of a gradient with respect to pixels in [0, 1]."""


def one_pass(_: Any) -> int:
    """The number of passes of a method that differentiates the network once: 1."""
    return 1


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """An attribution method: its names, the meaning of its values, and how it is called.

    Attributes:
        id: its short name, that of its file and of its function, such as "grad_cam".
        label: its name as usually written.
        unit: of its values.
        signed: whether values can be negative.
        spec_type: the type of its specification, made without arguments when none is given; None for a method
            without settings.
        takes_layer: whether it explains the output of a layer, which can be chosen.
        run: the function. It takes the network, the picture and the class, then the specification if there is one,
            then ``layer=`` and ``resume=`` if it accepts these. It returns an attribution, or an iterator of successive
            estimates if it has a specification.
        recipe: the name of ``run`` within ``convis_core``, such as "attribution.grad_cam".
        passes: the number of forward and backward passes for a specification.
        derivative: whether one value is the derivative of the logit with respect to one channel of one pixel, so that
            it predicts the effect of a small change of that channel.
        varied: this record adapted to a specification, which may change unit and sign; None where none does.
        continues: whether a frame computed with the first specification can be the ``resume=`` of the second; None
            for a method that cannot resume.
    """

    id: str
    label: str
    unit: str
    signed: bool
    spec_type: type[Any] | None
    takes_layer: bool
    run: Callable[..., Any]
    recipe: str
    passes: Callable[[Any], int] = one_pass
    derivative: bool = False
    varied: Callable[[Any], "MethodInfo"] | None = None
    continues: Callable[[Any, Any, Attribution], bool] | None = None
