"""The style of all figures: colours with one meaning everywhere, sizes that are legible from the last row."""

import base64
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.colors import sample_colorscale
from torch import Tensor

FONT_SIZE = 15
OVERLAY_OPACITY = 0.6
CLEAR = "rgba(0,0,0,0)"

# Okabe and Ito's colours, which colour-blind readers can distinguish too.
CATEGORICAL = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
ACCENT = "#1F8FB4"
MUTED = "#8A99A3"


def _as_rgb(name: str) -> tuple[str, ...]:
    """A named scale as ``rgb()`` texts.

    Inferno begins with #000004, and Streamlit's theme replaces #000001 to #000019 by colours of its own.
    """
    positions = [index / 32 for index in range(33)]
    return tuple(sample_colorscale(name, positions, colortype="rgb"))


COLOURS = {
    "probability": _as_rgb("Viridis"),
    "activation": _as_rgb("Viridis"),
    "magnitude": _as_rgb("Inferno"),
    "signed": _as_rgb("RdBu_r"),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How values become colours.

    Attributes:
        kind: "probability" and "activation" are viridis, "magnitude" inferno, "signed" red-blue about zero.
        low: value of the lowest colour.
        high: value of the highest colour.
        unit: label of the colour bar.
    """

    kind: Literal["probability", "activation", "magnitude", "signed"]
    low: float
    high: float
    unit: str

    @property
    def colours(self) -> tuple[str, ...]:
        """The colours from low to high, as ``rgb()`` texts."""
        return COLOURS[self.kind]


def signed_scale(values: Tensor, unit: str, *, percentile: float = 100.0) -> Scale:
    """A red-blue scale symmetric about zero, red for what is positive."""
    limit = _limit(values.abs(), percentile)
    return Scale("signed", -limit, limit, unit)


def magnitude_scale(values: Tensor, unit: str, *, percentile: float = 99.0) -> Scale:
    """A scale from zero to a high percentile, for display only: one extreme pixel must not leave the rest black."""
    return Scale("magnitude", 0.0, _limit(values, percentile), unit)


def colorbar(scale: Scale) -> dict[str, object]:
    """A narrow colour bar labelled with its unit."""
    return {
        "title": {"text": scale.unit, "side": "right", "font": {"size": FONT_SIZE}},
        "thickness": 14,
        "outlinewidth": 0,
        "tickfont": {"size": FONT_SIZE - 1},
        "len": 0.9,
    }


def data_uri(picture: Image.Image, *, lossless: bool = False) -> str:
    """A picture as a data URI: JPEG for photographs, PNG where every pixel matters."""
    file = io.BytesIO()
    if lossless:
        picture.save(file, format="PNG")
    else:
        picture.convert("RGB").save(file, format="JPEG", quality=90)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def faint(tone: str, opacity: float) -> str:
    """A colour made translucent: a background on which text is legible in either theme.

    >>> faint("#0072B2", 0.3)
    'rgba(0,114,178,0.3)'
    """
    parts = ",".join(str(int(tone[start : start + 2], 16)) for start in (1, 3, 5))
    return f"rgba({parts},{opacity})"


def plain(figure: go.Figure, *, height: int) -> go.Figure:
    """Apply the common layout: clear background, minimal margins, legible type."""
    figure.update_layout(
        height=height,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        font={"size": FONT_SIZE},
        hoverlabel={"font": {"size": FONT_SIZE}},
        legend={"font": {"size": FONT_SIZE}},
        dragmode=False,
        showlegend=False,
    )
    return figure


def _limit(values: Tensor, percentile: float) -> float:
    limit = float(np.percentile(values.numpy(), percentile)) if values.numel() else 0.0
    if limit <= 0:
        limit = float(values.max()) if values.numel() else 0.0
    return limit if limit > 0 else 1.0
