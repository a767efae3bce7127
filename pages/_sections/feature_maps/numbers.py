"""What the text of the feature maps page says of the network and its last layer with maps."""

from convis_core.network import receptive
from pages._shell.context import Context


def numbers(context: Context) -> dict[str, str]:
    """The receptive field of the last layer worth seeing, and what it lies on."""
    last = context.model.spec.feature_layers[-1]
    field = receptive.field(context.model, last)
    return {
        "network": context.model.spec.label,
        "layer": last,
        "size": str(field.size[0]),
        "jump": str(field.jump[0]),
        "picture": str(context.model.input_size),
    }
