"""What a loaded network computes and how it is built: its operations, receptive fields, predictions."""

from convis_core.network.predict import predict, rank
from convis_core.network.trace import Edit, Traced, fast, forward, is_relu, layer_names, record, trace

__all__ = ["Edit", "Traced", "fast", "forward", "is_relu", "layer_names", "predict", "rank", "record", "trace"]
