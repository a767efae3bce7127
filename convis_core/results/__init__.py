"""Frozen records: what every computation returns, and the specifications that ask for it.

Tensors in a result lie on the CPU, detached. Specifications are hashable, so that they serve as cache keys.
Everything pickles.
"""

from convis_core.results.attribution import Attribution
from convis_core.results.feature_maps import (
    Ablation,
    Cell,
    ChannelStatistics,
    ContactSheet,
    EffectiveField,
    FeatureMaps,
    Filters,
    KernelSpec,
    LayerSummary,
    PoolPair,
    SheetLayout,
    SheetSpec,
    SumOfProducts,
)
from convis_core.results.prediction import Prediction, Score

__all__ = [
    "Ablation",
    "Attribution",
    "Cell",
    "ChannelStatistics",
    "ContactSheet",
    "EffectiveField",
    "FeatureMaps",
    "Filters",
    "KernelSpec",
    "LayerSummary",
    "PoolPair",
    "Prediction",
    "Score",
    "SheetLayout",
    "SheetSpec",
    "SumOfProducts",
]
