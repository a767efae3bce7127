"""What is refused before anything is computed: pictures of the wrong shape, classes that do not exist."""

import operator
from typing import Any

from torch import Tensor

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.values import shown


def check_picture(model: LoadedModel, x: Tensor) -> None:
    """Refuse what is not one picture of the network's size.

    Pixels below 0 and above 1 are let through, since noisy copies of a picture have them; a picture in 0 to 255 is not.

    Raises:
        SpecError: when ``x`` is not a float tensor [1, 3, S, S] with the network's S, or has values that are not
            finite or lie far outside [0, 1].
    """
    expected = (1, 3, model.input_size, model.input_size)
    if not isinstance(x, Tensor) or tuple(x.shape) != expected or not x.is_floating_point():
        given = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise SpecError(f"The network takes one picture, float {expected}, not {given}; see images.to_tensor.")
    low, high = (float(bound) for bound in x.detach().aminmax())
    if not (low >= -_FAR and high <= 1 + _FAR):  # also false for nan
        raise SpecError(f"Pixels lie in [0, 1]; these reach from {low:g} to {high:g}. See images.to_tensor.")


def check_target(model: LoadedModel, target: Any) -> None:
    """Refuse what is not the index of a class of the network.

    Raises:
        SpecError: when ``target`` is not a whole number in 0 .. C-1; True and 1.0 are not whole numbers here.
    """
    if isinstance(target, bool) or not hasattr(target, "__index__") or isinstance(target, Tensor):
        raise SpecError(f"A class is a whole number, its index, not {shown(target)}.")
    if not 0 <= operator.index(target) < len(model.categories):
        last = len(model.categories) - 1
        raise SpecError(f"Class {shown(target)} does not exist; the network's classes are 0 to {last}.")


def check_answer(logits: Tensor) -> None:
    """Refuse to go on from logits that are no numbers: nothing can be explained, and nothing would be true.

    Raises:
        SpecError: when a logit is nan or infinite.
    """
    if not bool(logits.isfinite().all()):
        raise SpecError("The network's logits for this picture are not finite numbers; its weights may be damaged.")


_FAR = 10.0
"""How far outside [0, 1] a pixel may lie: further than any noise that is offered, nearer than 255."""
