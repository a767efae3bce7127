"""Networks that the comparisons share: each is built once, and goes when all that need it are through."""

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from convis_core import images, models
from convis_core.models import LoadedModel
from tests.parity.peers import NETWORKS, in_double_precision


@pytest.fixture(scope="session", params=NETWORKS)
def single(request: pytest.FixtureRequest) -> LoadedModel:
    """A network as it is used. The seed is one with which no layer's map for ``TARGET`` is zero everywhere."""
    weights = "pretrained" if request.param == "efficientnet_lite0" else "random"
    return models.load(request.param, weights=weights, seed=0)


@pytest.fixture(scope="session")
def double(single: LoadedModel) -> LoadedModel:
    """The same network in double precision."""
    return in_double_precision(single)


@pytest.fixture(scope="session")
def pictures() -> dict[int, Tensor]:
    """The cat by the side of the picture: small, since double precision is slow, and as large as in use."""
    return {side: images.to_tensor(images.sample("chelsea"), side) for side in (96, 224)}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Gradients of one picture are to be equal bit by bit, and the number of threads is a matter of bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of Captum, about its hooks
        yield
    torch.set_num_threads(threads)
