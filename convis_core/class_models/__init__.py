"""Class models: pictures that maximise the score of a class, a channel or a layer, drawn by gradient ascent.

Four parts, one file or two each: what is optimised (``parameterisation``), how it is transformed and regularised
(``transforms``, ``regularisers``), what is maximised (``objectives``), and the loops (``ascent``, ``dream``).
"""

from convis_core.class_models.ascent import ascend
from convis_core.class_models.dream import deep_dream
from convis_core.class_models.pair import ascend_pair
from convis_core.class_models.presets import BLUR, FEATURE, L2, MODERN, PRESETS, RAW, YOSINSKI
from convis_core.class_models.recognition import displaced, recognise
from convis_core.class_models.turns import recognise_in_turn

__all__ = [
    "BLUR",
    "FEATURE",
    "L2",
    "MODERN",
    "PRESETS",
    "RAW",
    "YOSINSKI",
    "ascend",
    "ascend_pair",
    "deep_dream",
    "displaced",
    "recognise",
    "recognise_in_turn",
]
