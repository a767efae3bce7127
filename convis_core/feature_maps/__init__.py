"""Feature maps and filters: the response of every layer and channel to a picture, and what each cell sees.

``summarise`` runs the whole network once and returns one map per layer; ``maps`` returns all channels of one layer. The
other modules work on their results: contact sheets, receptive fields, ablation, kernels, pooling.
"""

from convis_core.feature_maps.ablation import ablate
from convis_core.feature_maps.fields import aligned, cell_under, crop, effective_field
from convis_core.feature_maps.filters import (
    colour_sheet,
    convolutions,
    filters,
    filters_across,
    kernel_sheet,
    matrix_sheet,
)
from convis_core.feature_maps.pooling import max_pools, pool_pair, pooled
from convis_core.feature_maps.sheets import (
    cell_at,
    channel_at,
    contact_sheet,
    lay_out,
    order,
    peak_cell,
    sheet_of,
    tile,
)
from convis_core.feature_maps.summaries import contributions, map_layers, maps, statistics, summarise, summary
from convis_core.feature_maps.sums import sum_of_products, underlying_convolution

__all__ = [
    "ablate",
    "aligned",
    "cell_at",
    "cell_under",
    "channel_at",
    "colour_sheet",
    "contact_sheet",
    "contributions",
    "convolutions",
    "crop",
    "effective_field",
    "filters",
    "filters_across",
    "kernel_sheet",
    "lay_out",
    "map_layers",
    "maps",
    "matrix_sheet",
    "max_pools",
    "order",
    "peak_cell",
    "pool_pair",
    "pooled",
    "sheet_of",
    "statistics",
    "sum_of_products",
    "summarise",
    "summary",
    "tile",
    "underlying_convolution",
]
