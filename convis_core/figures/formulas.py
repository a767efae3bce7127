"""A layer's formulas in LaTeX, with its own numbers in place of the symbols."""

from collections.abc import Mapping

from convis_core.results.architecture import Substitution

_TITLES: Mapping[str, str] = {
    "height by floor": "Rows of the output",
    "width by floor": "Columns of the output",
    "height by ceil": "Rows of the output",
    "width by ceil": "Columns of the output",
    "weights": "Weights",
    "linear weights": "Weights",
    "biases": "Biases",
    "macs": "Multiply-adds",
    "linear macs": "Multiply-adds",
    "batch norm": "Scales and shifts",
}


def title(substitution: Substitution) -> str:
    """The name of the quantity that the formula gives."""
    return _TITLES[substitution.quantity]


def symbols(substitution: Substitution) -> str:
    r"""The formula in symbols, such as ``\frac{W - F + 2P}{S} + 1``."""
    return _write(substitution, {name: _symbol(name) for name, _ in substitution.numbers})


def numbers(substitution: Substitution) -> str:
    """The formula with the numbers inserted, and its value."""
    written = {name: grouped(number) for name, number in substitution.numbers}
    return f"{_write(substitution, written)} = {grouped(substitution.value)}"


def grouped(number: int) -> str:
    r"""A whole number in LaTeX with thin spaces between thousands.

    >>> grouped(1280)
    '1{\\,}280'
    """
    return f"{number:,}".replace(",", r"{\,}")


def _symbol(name: str) -> str:
    return name.replace("'", r"_{\text{out}}")


def _write(substitution: Substitution, by: Mapping[str, str]) -> str:
    kind = substitution.quantity
    if kind.endswith((" by floor", " by ceil")):
        return _side(kind, by)
    if kind == "batch norm":
        return rf"2 \cdot {by['C']}"
    if kind == "biases":
        return by["K"]
    if kind.startswith("linear"):
        return rf"{by['C']} \cdot {by['K']}"
    channels = rf"\frac{{{by['C']}}}{{{by['G']}}}" if "G" in by else by["C"]
    weights = rf"{by['F_h']} \cdot {by['F_w']} \cdot {channels} \cdot {by['K']}"
    return weights if kind == "weights" else rf"{weights} \cdot {by[_ROWS]} \cdot {by[_COLUMNS]}"


_ROWS, _COLUMNS = "H'", "W'"


def _side(kind: str, by: Mapping[str, str]) -> str:
    length = by["H"] if "H" in by else by["W"]
    reach = rf"{by['d']} \cdot ({by['F']} - 1) - 1" if "d" in by else by["F"]
    padding = rf"2 \cdot {by['P']}" if "P" in by else f"{by['P_1']} + {by['P_2']}"
    fraction = rf"\frac{{{length} - {reach} + {padding}}}{{{by['S']}}}"
    left, right = (r"\lfloor", r"\rfloor") if kind.endswith("floor") else (r"\lceil", r"\rceil")
    return rf"\left{left} {fraction} \right{right} + 1"
