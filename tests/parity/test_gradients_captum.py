"""Every gradient method against Captum: same network, same picture, same noise.

The gradient of a network of ReLUs jumps where a unit's input changes sign. Two correct programs that round
differently put a few of millions of units on different sides, and then differ by a thousandth or a hundredth: so does
Captum from itself with another batch size or another number of threads. Hence two kinds of test. In double precision
hardly any unit lies that close to zero, and equal must be equal. In single precision, what computes one picture
through the network as it is must be equal as well; what computes many through the folded network must be no farther
from the truth than Captum is.
"""

import copy
import dataclasses
import warnings

import pytest
import torch
from captum.attr import (
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    NoiseTunnel,
    Saliency,
)
from torch import Tensor, nn

from convis_core import attribution, images, models
from convis_core.models import LoadedModel
from convis_core.results import Attribution, IntegratedGradientsSpec, SmoothGradSpec

TARGET = 282
SIDE = 96  # every network here takes smaller pictures too, and double precision is slow
NETWORKS = ["efficientnet_lite0", "vgg16", "resnet18", "googlenet"]
SPEC = SmoothGradSpec(noise_level=0.15, n_samples=5, seed=3)


@pytest.fixture(scope="module", params=NETWORKS)
def model(request) -> LoadedModel:
    loaded = models.load(request.param, weights="pretrained" if request.param == "efficientnet_lite0" else "random")
    return dataclasses.replace(loaded, input_size=SIDE)


@pytest.fixture(scope="module")
def exact(model) -> LoadedModel:
    return in_double_precision(model)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return images.to_tensor(images.sample("chelsea"), SIDE)


@pytest.fixture(autouse=True)
def one_thread():
    """Gradients of one picture are to be equal bit by bit, and the number of threads is a matter of bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of Captum, about its hooks
        yield
    torch.set_num_threads(threads)


def in_double_precision(model: LoadedModel) -> LoadedModel:
    return dataclasses.replace(model, module=copy.deepcopy(model.module).double())


def distance(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference as a share of the largest value."""
    scale = float(theirs.detach().abs().max())
    assert scale > 0, "a map of zeros equals anything"
    return float((ours.double() - theirs.detach().double()).abs().max()) / scale


def last(frames) -> Attribution:
    *_, final = frames
    return final


def captum_smoothgrad(model: LoadedModel, x: Tensor, spec: SmoothGradSpec, kind: str) -> Tensor:
    """Captum's noise tunnel over signed saliency, fed with Convis's noise instead of its own."""
    indices = iter(range(spec.n_samples))
    sigma = attribution.noise_scale(x, spec.noise_level)

    class Tunnel(NoiseTunnel):
        @staticmethod
        def _add_noise_to_input(input: Tensor, stdev: float, nt_samples_partition: int) -> Tensor:
            noise = [attribution.sample_noise(spec, next(indices), SIDE) for _ in range(nt_samples_partition)]
            return input + (stdev * torch.stack(noise)).to(input)

    tunnel = Tunnel(Saliency(model.module))
    values = tunnel.attribute(
        x, nt_type=kind, nt_samples=spec.n_samples, nt_samples_batch_size=2, stdevs=sigma, target=TARGET, abs=False
    )
    assert next(indices, None) is None, "Captum took other noise than it was given"
    return values[0]


# ----------------------------------------------------------------------------------------------------------------------
# One picture, in single precision: equal


def test_saliency(model, x):
    theirs = Saliency(model.module).attribute(x.clone(), target=TARGET, abs=False)
    assert distance(attribution.saliency(model, x, TARGET).values, theirs[0]) <= 1e-5


def test_input_x_gradient(model, x):
    theirs = InputXGradient(model.module).attribute(x.clone(), target=TARGET)
    assert distance(attribution.input_x_gradient(model, x, TARGET).values, theirs[0]) <= 1e-5


@pytest.mark.parametrize("depth", [0.5, 1.0])
def test_grad_cam_of_a_layer_in_the_middle_and_of_the_last(model, x, depth):
    shown = model.spec.feature_layers
    name = model.spec.cam_layer if depth == 1 else shown[int(depth * len(shown))]
    theirs = LayerGradCam(model.module, model.module.get_submodule(name)).attribute(x.clone(), target=TARGET).detach()
    ours = attribution.grad_cam(model, x, TARGET, layer=None if depth == 1 else name)
    assert ours.coarse is not None and distance(ours.coarse, theirs[0, 0]) <= 1e-5
    enlarged = LayerAttribution.interpolate(theirs.relu(), (SIDE, SIDE), "bilinear")
    assert torch.allclose(ours.values, enlarged[0], rtol=0, atol=1e-5 * float(theirs.abs().max()))


class CappedReLU(nn.ReLU):
    """ReLU6 under a name that Captum guides: it looks for nn.ReLU and passes ReLU6 by."""

    def forward(self, input: Tensor) -> Tensor:
        return input.clamp(0, 6)


def with_capped_relus(model: LoadedModel) -> nn.Module:
    module = copy.deepcopy(model.module)
    for name, layer in list(module.named_modules()):
        if isinstance(layer, nn.ReLU6):
            parent, _, child = name.rpartition(".")
            setattr(module.get_submodule(parent), child, CappedReLU())
    return module


def test_guided_backprop_and_guided_grad_cam(model, x):
    module = with_capped_relus(model)
    theirs = GuidedBackprop(module).attribute(x.clone(), target=TARGET)
    assert distance(attribution.guided_backprop(model, x, TARGET).values, theirs[0]) <= 1e-5
    layer = module.get_submodule(model.spec.cam_layer)
    product = GuidedGradCam(module, layer).attribute(x.clone(), target=TARGET, interpolate_mode="bilinear")
    assert distance(attribution.guided_grad_cam(model, x, TARGET).values, product[0]) <= 1e-5


# ----------------------------------------------------------------------------------------------------------------------
# Many pictures, in double precision: equal


def test_smoothgrad_and_its_variants(exact, x):
    x = x.double()
    frame = last(attribution.smoothgrad(exact, x, TARGET, SPEC))
    for variant, kind in (("mean", "smoothgrad"), ("squared", "smoothgrad_sq"), ("variance", "vargrad")):
        spec = dataclasses.replace(SPEC, variant=variant)
        ours = last(attribution.smoothgrad(exact, x, TARGET, spec, resume=frame))
        assert distance(ours.values, captum_smoothgrad(exact, x, SPEC, kind)) <= 1e-5, variant


def test_integrated_gradients(exact, x):
    x = x.double()
    ours = last(attribution.integrated_gradients(exact, x, TARGET, IntegratedGradientsSpec(steps=7)))
    theirs = IntegratedGradients(exact.module).attribute(x, target=TARGET, n_steps=7, internal_batch_size=2)
    assert distance(ours.values, theirs[0]) <= 1e-5


# ----------------------------------------------------------------------------------------------------------------------
# Many pictures, in single precision: as near to the truth as Captum


def test_smoothgrad_in_single_precision_is_as_near_to_the_truth_as_captum(model, exact, x):
    if model.spec.id == "vgg16":
        pytest.skip("slow, and nothing that the others do not show")
    spec = dataclasses.replace(SPEC, n_samples=12)
    truth = last(attribution.smoothgrad(exact, x.double(), TARGET, spec)).values
    ours = last(attribution.smoothgrad(model, x, TARGET, spec)).values
    theirs = captum_smoothgrad(model, x, spec, "smoothgrad").detach()
    our_error, their_error = (float((values - truth).norm() / truth.norm()) for values in (ours, theirs))
    # Both are the luck of a few units; a program that was wrong by more than rounding would be off by far more.
    assert our_error <= 3 * their_error + 2e-3
