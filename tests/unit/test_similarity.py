"""How alike two maps are: against other people's programs, and where there is no answer."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from skimage.metrics import structural_similarity as skimage_similarity

from convis_core import images, models
from convis_core.attribution.similarity import correlation, rank_correlation, structural_similarity
from convis_core.errors import SpecError
from convis_core.network import baselines


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    one = torch.rand(24, 31, generator=generator)
    two = 0.6 * one + 0.4 * torch.rand(24, 31, generator=generator)
    # Many equal values, as in a map after a ReLU.
    return (one - 0.5).clamp(min=0), (two - 0.4).clamp(min=0)


def test_correlations_are_scipys_ties_included(pair):
    one, two = (values.double().flatten().numpy() for values in pair)
    assert correlation(*pair) == pytest.approx(stats.pearsonr(one, two).statistic, abs=1e-9)
    assert rank_correlation(*pair) == pytest.approx(stats.spearmanr(one, two).statistic, abs=1e-9)


def test_scale_does_not_matter_however_small(pair):
    one, two = pair
    assert correlation(one, two * 1e-30) == pytest.approx(correlation(one, two), abs=1e-6)
    assert correlation(one, 3 - one) == pytest.approx(-1) and rank_correlation(one, one.double() ** 3) == pytest.approx(
        1
    )
    assert structural_similarity(one, 7 * one) == pytest.approx(1)


def test_structural_similarity_is_skimages(pair):
    one, two = (values.double() / values.double().max() for values in pair)
    # The clip at the 99th percentile is ours; undone here, so that only the formula is compared.
    tops = [float(values.flatten().kthvalue(round(0.99 * values.numel())).values) for values in (one, two)]
    clipped = [(values.clamp(max=top) / top).numpy() for values, top in zip((one, two), tops, strict=True)]
    _, full = skimage_similarity(
        *clipped, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    inner = full[5:-5, 5:-5]  # theirs also has windows that hang over the edge
    assert structural_similarity(*pair) == pytest.approx(float(np.mean(inner)), abs=1e-6)


def test_there_is_no_similarity_to_nothing(pair):
    one, _ = pair
    for nothing in (torch.zeros_like(one), torch.full_like(one, torch.nan)):
        assert math.isnan(correlation(one, nothing)) and math.isnan(rank_correlation(nothing, one))
        assert math.isnan(structural_similarity(one, nothing))


def test_baselines_are_what_they_are_called():
    model = models.wrap(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2)), input_size=32)
    x = images.to_tensor(images.sample("chelsea"), 32)
    assert float(baselines.baseline(model, x, "black").max()) == 0 == float(baselines.baseline(model, x, "mean").max())
    assert float(baselines.baseline(model, x, "grey").min()) == 0.5
    blurred = baselines.baseline(model, x, "blurred")
    assert float(blurred.var()) < float(x.var()) and torch.allclose(blurred.mean(), x.mean(), atol=0.02)
    with pytest.raises(SpecError, match="pink"):
        baselines.baseline(model, x, "pink")


@pytest.mark.parametrize("sigma", [0.0, 0.7, 4.0])
def test_the_blur_is_a_gaussian_of_weight_one(sigma):
    maps = torch.zeros(1, 2, 41, 41, dtype=torch.float64)
    maps[0, 0, 20, 20] = 1
    maps[0, 1] = 3
    blurred = baselines.gaussian_blur(maps, sigma)
    assert float(blurred[0, 0].sum()) == pytest.approx(1) and torch.allclose(blurred[0, 1], maps[0, 1])
    offsets = torch.arange(-20, 21).double()
    spread = float((blurred[0, 0].sum(0) * offsets**2).sum())
    assert spread == pytest.approx(sigma**2, rel=0.05, abs=0.02)
