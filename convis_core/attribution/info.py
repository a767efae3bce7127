"""What is known of a method before it is asked anything: the record that each file in ``methods`` ends with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convis_core.results import Attribution

PER_PIXEL = "change of logit per unit of pixel"
"""The unit of a gradient by pixels in [0, 1]."""


def one_pass(_: Any) -> int:
    """The number of passes of a method that differentiates the network once."""
    return 1


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """A method of attribution: its names, what its values count, and how it is called.

    Attributes:
        id: its short name, that of its file and of its function, such as "grad_cam".
        label: how people write its name.
        unit: what one value counts.
        signed: whether values can be negative.
        spec_type: the type of its specification, made without arguments when none is given; None for a method
            without settings.
        takes_layer: whether it explains the output of a layer, which can be chosen.
        run: the function. It takes the network, the picture and the class, then the specification if there is one,
            then ``layer=`` and ``resume=`` if it takes these. It returns an attribution, or an iterator of ever better
            ones if it has a specification.
        recipe: where ``run`` is reached from ``convis_core``, such as "attribution.grad_cam".
        passes: how often the network is run forwards and backwards, of a specification.
        derivative: whether one value is the derivative of the logit by one channel of one pixel, so that it says what
            a small change of that channel does.
        varied: this record as a specification changes it; None where no specification does.
        continues: whether a frame asked for with the first specification can be the ``resume=`` of the second; None
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
