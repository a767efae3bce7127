"""Attributions as people use them: any method by its specification, watched, shown, put in a row, and compared.

The methods themselves are in ``convis_core.gradients``, their tests in ``convis_core.trust``.
"""

from convis_core.attribution.expected import Pace, pace
from convis_core.attribution.methods import (
    KINDS,
    Kind,
    Method,
    attribute,
    continues,
    final,
    once,
    recipe_parts,
)
from convis_core.attribution.running import running
from convis_core.attribution.series import Comparison, Filmstrip, compare, filmstrip
from convis_core.attribution.views import (
    CHANNEL_RULES,
    combined,
    concentration,
    is_zero,
    relative,
    sign_changes,
    signed,
    strongest_pixel,
)

__all__ = [
    "CHANNEL_RULES",
    "KINDS",
    "Comparison",
    "Filmstrip",
    "Kind",
    "Method",
    "Pace",
    "attribute",
    "combined",
    "compare",
    "concentration",
    "continues",
    "filmstrip",
    "final",
    "is_zero",
    "once",
    "pace",
    "recipe_parts",
    "relative",
    "running",
    "sign_changes",
    "signed",
    "strongest_pixel",
]
