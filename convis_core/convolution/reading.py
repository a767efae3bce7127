"""Numbers that a person wrote, as numbers to compute with."""

import math

import torch
from torch import Tensor

from convis_core.errors import SpecError
from convis_core.results.convolution import Rows

_LONGEST = 11


def read_rows(text: str) -> Rows:
    """A kernel from a text such as "1 0 -1 / 1 0 -1 / 1 0 -1".

    Args:
        text: rows set apart by slashes, numbers by blanks.

    Raises:
        SpecError: when a number cannot be read, rows differ in length, or there are more than 11 of either.
    """
    rows = tuple(_numbers(row) for row in text.split("/"))
    if len({len(row) for row in rows}) > 1:
        raise SpecError(f"The rows have {', '.join(str(len(row)) for row in rows)} numbers; all must have as many.")
    if max(len(rows), len(rows[0])) > _LONGEST:
        raise SpecError(f"A kernel here has at most {_LONGEST} rows and columns.")
    return rows


def read_line(text: str) -> Tensor:
    """A row of numbers from a text such as "0 1 2.5", float32 [N].

    Args:
        text: numbers set apart by blanks.

    Raises:
        SpecError: when a number cannot be read, or there are more than 11.
    """
    numbers = _numbers(text)
    if len(numbers) > _LONGEST:
        raise SpecError(f"At most {_LONGEST} numbers fit here, not {len(numbers)}.")
    return torch.tensor(numbers)


def write_rows(rows: Rows) -> str:
    """The text that ``read_rows`` reads back."""
    return " / ".join(" ".join(f"{number:g}" for number in row) for row in rows)


def _numbers(text: str) -> tuple[float, ...]:
    words = text.replace(",", " ").split()
    if not words:
        raise SpecError("A row has no number; write numbers with blanks between them.")
    return tuple(_number(word) for word in words)


def _number(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        raise SpecError(
            f"{word[:20]!r} is not a number; write numbers with blanks between them, such as 1 0 -1."
        ) from None
    if not math.isfinite(value) or abs(value) > 1e4:
        raise SpecError(f"{word[:20]} is too large to draw; use numbers from -10000 to 10000.")
    return value
