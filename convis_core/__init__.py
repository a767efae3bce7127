"""Convis, the computing part: what a convolutional network computes on a picture, and why it decides as it does.

Pure Python and PyTorch, without Streamlit, for use from a notebook::

    from convis_core import images, models, occlusion, predict, results

    model = models.load("efficientnet_lite0")
    x = images.to_tensor(images.read_image("cat.jpg"), model.input_size)
    print(predict.predict(model, x).top)
"""

from convis_core.errors import ConvisError, ImageError, SpecError, WeightsError

CORE_VERSION = "0.1.0"
"""Part of every cache key: raise it when a computation's answer changes."""

__all__ = ["CORE_VERSION", "ConvisError", "ImageError", "SpecError", "WeightsError"]
