"""Feature maps and filters: what every layer and every channel answers to a picture, and what each cell sees.

``summarise`` goes through the whole network in one pass and keeps one map a layer; ``maps`` keeps all channels of one
layer. The rest works on what they return: contact sheets, receptive fields, ablation, kernels, pooling.
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
    sheet_of,
    striking_cell,
    tile,
)
from convis_core.feature_maps.summaries import contributions, map_layers, maps, statistics, summarise, summary
from convis_core.feature_maps.sums import convolution_behind, sum_of_products

__all__ = [
    "ablate",
    "aligned",
    "cell_at",
    "cell_under",
    "channel_at",
    "colour_sheet",
    "contact_sheet",
    "contributions",
    "convolution_behind",
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
    "pool_pair",
    "pooled",
    "sheet_of",
    "statistics",
    "striking_cell",
    "sum_of_products",
    "summarise",
    "summary",
    "tile",
]
