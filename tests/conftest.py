"""Networks that several tests share; none touches the internet."""

import os

import pytest
import torch

from convis_core import images, models
from convis_core.models import LoadedModel

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several workers share the cores: two threads each would wait for one another at every layer.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def lite0() -> LoadedModel:
    """The embedded network with its real weights."""
    return models.load("efficientnet_lite0")


@pytest.fixture(scope="session")
def chelsea() -> torch.Tensor:
    """The cat as a network with a 224-pixel input sees it."""
    return images.to_tensor(images.sample("chelsea"), 224)
