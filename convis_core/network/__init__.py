"""What a loaded network computes and how it is built: operations, receptive fields, predictions, gradients."""

from convis_core.network.checks import check_picture, check_target
from convis_core.network.gradients import LayerGradient, gradient_at
from convis_core.network.predict import predict, rank
from convis_core.network.trace import Edit, Traced, fast, forward, layer_names, record, shapes_at, trace

__all__ = [
    "Edit",
    "LayerGradient",
    "Traced",
    "check_picture",
    "check_target",
    "fast",
    "forward",
    "gradient_at",
    "layer_names",
    "predict",
    "rank",
    "record",
    "shapes_at",
    "trace",
]
