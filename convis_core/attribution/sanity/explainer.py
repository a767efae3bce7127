"""The form in which the tests of an attribution take a method."""

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from convis_core.models import LoadedModel
from convis_core.results import Attribution

Explainer: TypeAlias = Callable[[LoadedModel, Tensor, int], Attribution]
"""A function of network, picture and class that returns an attribution, such as ``attribution.saliency``."""
