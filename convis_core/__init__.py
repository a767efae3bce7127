"""Convis, the computing part: what a convolutional network computes on a picture, and why it decides as it does.

Pure Python and PyTorch, without Streamlit, for use from a notebook::

    from convis_core import images, models, network, occlusion, results

    model = models.load("efficientnet_lite0")
    x = images.to_tensor(images.read_image("cat.jpg"), model.input_size)
    print(network.predict(model, x).top)

Every subject is a submodule: ``architecture``, ``attribution``, ``class_models``, ``convolution``, ``feature_maps``,
``occlusion``, ``segmentation``. Importing this package alone imports none of them, and not even PyTorch.
"""

from convis_core.errors import ConvisError, ImageError, SpecError, WeightsError

CORE_VERSION = "0.2.0"
"""The version of the package. Recipes and cache keys carry it: raise it when a computation's answer changes."""

__all__ = ["CORE_VERSION", "ConvisError", "ImageError", "SpecError", "WeightsError"]
