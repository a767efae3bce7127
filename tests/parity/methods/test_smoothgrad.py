"""SmoothGrad against Captum's noise tunnel over signed saliency, fed with Convis's noise instead of its own."""

import dataclasses

import pytest
import torch
from captum.attr import NoiseTunnel, Saliency
from torch import Tensor

from convis_core import attribution
from convis_core.models import LoadedModel
from convis_core.results import Attribution, SmoothGradSpec
from tests.parity.peers import TARGET, Peer, distance

SPEC = SmoothGradSpec(noise_level=0.15, n_samples=5, seed=3)
_TUNNELS = {"mean": "smoothgrad", "squared": "smoothgrad_sq", "variance": "vargrad"}


def tunnel(model: LoadedModel, x: Tensor, target: int, spec: SmoothGradSpec) -> Tensor:
    indices = iter(range(spec.n_samples))
    sigma = attribution.noise_scale(x, spec.noise_level)

    class Tunnel(NoiseTunnel):
        @staticmethod
        def _add_noise_to_input(input: Tensor, stdev: float, nt_samples_partition: int) -> Tensor:
            side = input.shape[-1]
            noise = [attribution.sample_noise(spec, next(indices), side) for _ in range(nt_samples_partition)]
            return input + (stdev * torch.stack(noise)).to(input)

    values = Tunnel(Saliency(model.module)).attribute(
        x,
        nt_type=_TUNNELS[spec.variant],
        nt_samples=spec.n_samples,
        nt_samples_batch_size=2,
        stdevs=sigma,
        target=target,
        abs=False,
    )
    assert next(indices, None) is None, "Captum took other noise than it was given"
    return values[0]


def captum(model, x, target, asked):
    return {"values": tunnel(model, x, target, asked.spec)}


def asks(_model):
    return [dataclasses.replace(SPEC, variant=variant) for variant in _TUNNELS]


PEER = Peer(captum, asks, exact=True, sides=(96,))


def last(frames) -> Attribution:
    *_, final = frames
    return final


def noisy_gradients(model: LoadedModel, x: Tensor) -> Tensor:
    """Captum's gradient of each noisy copy, [N, 3, S, S]."""
    sigma = attribution.noise_scale(x, SPEC.noise_level)
    noise = [attribution.sample_noise(SPEC, index, x.shape[-1]) for index in range(SPEC.n_samples)]
    copies = [x + (sigma * one).to(x) for one in noise]
    return torch.cat([Saliency(model.module).attribute(one, target=TARGET, abs=False) for one in copies])


def test_variants_are_the_statistics_of_captums_gradients_and_cost_nothing_more(single, pictures, request):
    if single.spec.id == "vgg16":
        pytest.skip("1 GB in double precision, and nothing that the others do not show")
    exact, x = request.getfixturevalue("double"), pictures[224].double()
    each = noisy_gradients(exact, x)
    twins = {"mean": each.mean(0), "squared": each.square().mean(0), "variance": each.var(0, correction=0)}
    frame = None
    for variant, twin in twins.items():
        frame = last(attribution.smoothgrad(exact, x, TARGET, dataclasses.replace(SPEC, variant=variant), resume=frame))
        assert distance(frame.values, twin) <= 1e-5, variant


def test_in_single_precision_the_folded_network_stays_close(single, pictures):
    twin = noisy_gradients(single, pictures[224]).mean(0)
    ours = last(attribution.smoothgrad(single, pictures[224], TARGET, SPEC))
    assert float((ours.values - twin).norm() / twin.norm()) < 0.01


def test_in_single_precision_it_is_as_near_to_the_truth_as_captum(single, pictures, request):
    if single.spec.id == "vgg16":
        pytest.skip("slow, and nothing that the others do not show")
    x, spec = pictures[96], dataclasses.replace(SPEC, n_samples=12)
    model, exact = (dataclasses.replace(one, input_size=96) for one in (single, request.getfixturevalue("double")))
    truth = last(attribution.smoothgrad(exact, x.double(), TARGET, spec)).values
    ours = last(attribution.smoothgrad(model, x, TARGET, spec)).values
    theirs = tunnel(model, x, TARGET, spec).detach()
    our_error, their_error = (float((values - truth).norm() / truth.norm()) for values in (ours, theirs))
    # Both are the luck of a few units; a program that was wrong by more than rounding would be off by far more.
    assert our_error <= 3 * their_error + 2e-3
