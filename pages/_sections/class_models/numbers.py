"""What the text of the class models page says of the network, the class and the modern way of drawing."""

from convis_core import class_models
from convis_core.figures.scores import percent
from pages._shell.context import Context


def numbers(context: Context) -> dict[str, str]:
    """The settings of the preset, and the class of the sidebar on its picture."""
    modern = class_models.MODERN
    return {
        "network": context.model.spec.label,
        "classes": f"{len(context.model.categories):,}",
        "rate": f"{modern.learning_rate:g}",
        "ramp": str(modern.ramp),
        "decay": f"{modern.spectrum.decay:g}",
        "at_once": str(modern.steps_at_once),
        "class": context.target_name,
        "probability": percent(context.probability),
        "logit": f"{context.logit:.2f}",
    }
