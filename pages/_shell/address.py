"""What an address says, made into what a control can show; nothing here knows Streamlit.

An address comes from anybody. Every function takes the texts that stand under one name, however many, and gives back
the texts that shall stand there: what the control shows and computes with, or none for its default.
"""

import math
import re
from collections.abc import Collection, Sequence

Span = tuple[float, float, float]
"""The least value of a control, its greatest, and the step between two neighbouring ones."""

_LONGEST = 32
"""Characters of a number; Python refuses to read those of thousands of digits, and no control shows such a one."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ON_A_STEP = 1e-9


def number(text: str) -> float | None:
    """The finite number that a text writes in ASCII digits; None for any other text.

    >>> number("40"), number("²"), number("1e999"), number("9" * 5000)
    (40.0, None, None, None)
    """
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def nearest(value: float, span: Span) -> float:
    """The value of a control that lies nearest: inside its limits and on one of its steps.

    >>> nearest(33, (8, 96, 4)), nearest(-1, (8, 96, 4)), nearest(0.33, (0.0, 1.0, 0.05))
    (32, 8, 0.35)
    """
    low, high, step = span
    inside = min(max(value, low), high)
    placed = min(low + round((inside - low) / step) * step, high)
    return round(placed, 9) if abs(placed - inside) > _ON_A_STEP else inside


def numbers(said: Sequence[str], span: Span, *, count: int = 1) -> list[str]:
    """What a control of numbers makes of an address.

    Args:
        said: the texts in the address.
        span: what the control can show.
        count: 2 for a range, which begins with the smaller one; of a single number the last text counts.

    Returns:
        The numbers as they shall stand in the address; none for the default.
    """
    texts = said[-1:] if count == 1 else said
    values = [number(text) for text in texts]
    if len(values) != count or any(value is None for value in values):
        return []
    placed = sorted(nearest(value, span) for value in values if value is not None)
    if placed == values:
        return list(texts)
    return [f"{value:.9g}" for value in placed]


def choices(said: Sequence[str], options: Collection[str], *, several: bool = False) -> list[str]:
    """What a control of options makes of an address: those that it has, each once; the last one where one is shown."""
    known = [text for text in dict.fromkeys(said) if text in options]
    if several:
        return known
    return known[-1:] if said and said[-1] in options else []


def switch(said: Sequence[str]) -> list[str]:
    """What a control that is on or off makes of an address."""
    return [text for text in said[-1:] if text.lower() in ("true", "false")]


def line(said: Sequence[str], *, longest: int) -> list[str]:
    """What a field of one line makes of an address: the last text without line breaks, cut where the field ends."""
    return [" ".join(text.splitlines())[:longest] for text in said[-1:]]
