"""Networks that several tests share; none touches the internet."""

import pytest
import torch

from convis_core import images, models
from convis_core.models import LoadedModel


@pytest.fixture(scope="session")
def lite0() -> LoadedModel:
    """The embedded network with its real weights."""
    return models.load("efficientnet_lite0")


@pytest.fixture(scope="session")
def chelsea() -> torch.Tensor:
    """The cat as a network with a 224-pixel input sees it."""
    return images.to_tensor(images.sample("chelsea"), 224)
