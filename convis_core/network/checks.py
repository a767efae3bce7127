"""Checks before any computation: pictures of the wrong shape and classes that do not exist are refused."""

import operator
from typing import Any

from torch import Tensor

from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.values import shown


def check_picture(model: LoadedModel, x: Tensor) -> None:
    """Refuse anything but one picture of the network's size.

    Pixels slightly outside [0, 1] are accepted, since noisy copies of a picture have them; a picture in 0 to 255 is
    refused.

    Args:
        model: the network.
        x: what should be one picture, float [1, 3, S, S].

    Raises:
        SpecError: when ``x`` is not a float tensor [1, 3, S, S] with the network's S, or has values that are not
            finite or lie far outside [0, 1].

    >>> import torch
    >>> from convis_core import models
    >>> model = models.load("efficientnet_lite0")
    >>> check_picture(model, torch.zeros(1, 3, 224, 224))
    >>> check_picture(model, torch.full((1, 3, 224, 224), 255.0))
    Traceback (most recent call last):
    convis_core.errors.SpecError: Pixels lie in [0, 1]; these reach from 255 to 255. See images.to_tensor.
    """
    expected = (1, 3, model.input_size, model.input_size)
    if not isinstance(x, Tensor) or tuple(x.shape) != expected or not x.is_floating_point():
        given = f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
        raise SpecError(f"The network takes one picture, float {expected}, not {given}; see images.to_tensor.")
    low, high = (float(bound) for bound in x.detach().aminmax())
    if not (low >= -_FAR and high <= 1 + _FAR):  # also false for nan
        raise SpecError(f"Pixels lie in [0, 1]; these reach from {low:g} to {high:g}. See images.to_tensor.")


def check_target(model: LoadedModel, target: Any) -> None:
    """Refuse anything but the index of one of the network's classes.

    Args:
        model: the network, with C classes.
        target: what should be a class index, 0 to C - 1.

    Raises:
        SpecError: when ``target`` is not a whole number in 0 .. C-1; True and 1.0 are not whole numbers here.

    >>> from convis_core import models
    >>> model = models.load("efficientnet_lite0")
    >>> check_target(model, 282)
    >>> check_target(model, 1000)
    Traceback (most recent call last):
    convis_core.errors.SpecError: Class 1000 does not exist; the network's classes are 0 to 999.
    """
    if isinstance(target, bool) or not hasattr(target, "__index__") or isinstance(target, Tensor):
        raise SpecError(f"A class is a whole number, its index, not {shown(target)}.")
    if not 0 <= operator.index(target) < len(model.categories):
        last = len(model.categories) - 1
        raise SpecError(f"Class {shown(target)} does not exist; the network's classes are 0 to {last}.")


def check_answer(logits: Tensor) -> None:
    """Refuse logits that are not finite, since no explanation computed from them would be true.

    Args:
        logits: of any shape.

    Raises:
        SpecError: when a logit is nan or infinite.

    >>> import torch
    >>> check_answer(torch.tensor([1.0, 2.0]))
    >>> check_answer(torch.tensor([1.0, torch.nan]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    convis_core.errors.SpecError: The network's logits for this picture are not finite numbers; ...
    """
    if not bool(logits.isfinite().all()):
        raise SpecError("The network's logits for this picture are not finite numbers; its weights may be damaged.")


_FAR = 10.0
"""How far outside [0, 1] a pixel may lie: more than any noise level on offer can cause, and far less than 255."""
