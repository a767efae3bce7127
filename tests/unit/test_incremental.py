"""The incremental engine against a full forward pass of every pasted picture, for all networks of the registry."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convis_core import models
from convis_core.engines import incremental
from convis_core.engines.incremental.regions import Slide
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import fast
from convis_core.runtime import lanes

SIZE = 224
SMALL = [spec.id for spec in models.MODELS if spec.id != "vgg16"]


@pytest.fixture(scope="module", params=[spec.id for spec in models.MODELS])
def model(request) -> LoadedModel:
    return models.load(request.param, weights="random", seed=3)


def picture(seed: int) -> Tensor:
    return torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def pasted(x: Tensor, patches: Tensor, tops: list[int], lefts: list[int]) -> Tensor:
    """The slow, obvious way: every patch pasted into a copy of the picture."""
    side = patches.shape[2], patches.shape[3]
    copies = x.repeat(len(patches), 1, 1, 1)
    for index, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        copies[index, :, top : top + side[0], left : left + side[1]] = patches[index]
    return copies


def places(window: int, stride: int, count: int) -> tuple[list[int], list[int]]:
    """Corners, borders and the inside, on a lattice of this stride."""
    last = SIZE - window
    chosen = [(0, 0), (last, last), (0, last), (stride % (last + 1), 2 * stride % (last + 1))]
    chosen += [((index * 7 * stride) % (last + 1), (index * 5 * stride) % (last + 1)) for index in range(count)]
    return [top for top, _ in chosen[:count]], [left for _, left in chosen[:count]]


def one_thread(compute):
    """Exactness to the last bit is promised on the lanes, which compute with one thread each."""
    return lanes.run(compute)


@pytest.mark.parametrize(("window", "stride"), [(8, 1), (17, 3), (32, 8), (57, 64), (96, 5)])
def test_logits_equal_those_of_full_passes(model: LoadedModel, window: int, stride: int):
    count = 2 if model.spec.id == "vgg16" else 5
    x, (tops, lefts) = picture(window), places(window, stride, count)
    patches = torch.rand(count, 3, window, window, generator=torch.Generator().manual_seed(stride))
    whole = pasted(x, patches, tops, lefts)
    base = one_thread(lambda: incremental.prepare(model, x))
    ours = one_thread(lambda: incremental.logits(base, patches, tops, lefts))
    with torch.no_grad():
        folded = fast(model).module(whole.contiguous(memory_format=torch.channels_last))
        plain = model.module(whole)
    scale = float(plain.abs().max())
    # In SqueezeNet a window of 8 pixels moves the logits by 4e-4 of their scale: still forty times the bound.
    assert float((plain - base.logits).abs().max()) > 2e-4 * scale, "the windows must matter, or nothing is shown"
    assert float((ours - folded).abs().max()) <= 1e-5 * scale
    # ResNet-50's own float32 passes, contiguous and channels last, differ by as much from each other.
    assert float((ours - plain).abs().max()) <= (2e-5 if model.spec.id == "resnet50" else 1e-5) * scale
    for index in range(count if model.spec.id != "vgg16" else 1):
        alone = one_thread(lambda index=index: incremental.prepare(model, whole[index : index + 1]))
        assert torch.equal(ours[index], alone.logits), "the same operations on the whole picture: not a bit differs"


@pytest.mark.parametrize("model_id", ["efficientnet_lite0", "resnet18", "squeezenet1_1", "alexnet"])
def test_a_window_has_the_same_bits_in_any_company(model_id: str):
    model = models.load(model_id, weights="random", seed=4)
    base = one_thread(lambda: incremental.prepare(model, picture(0)))
    tops, lefts = places(32, 8, 12)
    patches = torch.rand(12, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    together = one_thread(lambda: incremental.logits(base, patches, tops, lefts))
    order = [7, 2, 11, 0, 5, 1, 3, 10, 8, 4, 9, 6]
    for members in (order, order[:5], [3], [3, 3], [8, 0]):
        chosen = [tops[index] for index in members], [lefts[index] for index in members]
        again = one_thread(lambda members=members, chosen=chosen: incremental.logits(base, patches[members], *chosen))
        assert torch.equal(again, together[members])


def test_the_base_serves_many_windows_and_stays_as_it_is():
    model = models.load("resnet18", weights="random", seed=5)
    base = incremental.prepare(model, picture(0))
    before = {key: canvas.pixels.clone() for key, canvas in base.canvases.items()}
    parameters = {name: value.clone() for name, value in model.module.state_dict().items()}
    for window in (1, 30, SIZE):
        tops, lefts = places(window, 9, 1)  # a batch of one is where a view of the base could be written to
        incremental.logits(base, torch.rand(1, 3, window, window), tops, lefts)
    assert all(torch.equal(base.canvases[key].pixels, pixels) for key, pixels in before.items())
    assert all(torch.equal(value, parameters[name]) for name, value in model.module.state_dict().items())
    assert base.nbytes == sum(4 * pixels.numel() for pixels in before.values())
    assert torch.is_grad_enabled()


def test_a_patch_that_changes_nothing_gives_the_logits_of_the_picture():
    model = models.load("mobilenet_v2", weights="random", seed=6)
    x = picture(2)
    base = one_thread(lambda: incremental.prepare(model, x))
    same = one_thread(lambda: incremental.logits(base, x[:, :, 40:80, 100:140], [40], [100]))
    assert torch.equal(same[0], base.logits)


def test_oblong_patches_and_patches_of_the_whole_picture():
    model = models.load("efficientnet_lite0", weights="random", seed=7)
    x = picture(3)
    base = incremental.prepare(model, x)
    for height, width in ((5, 90), (SIZE, 7), (SIZE, SIZE)):
        tops, lefts = [0, SIZE - height], [SIZE - width, 0]
        patches = torch.rand(2, 3, height, width)
        with torch.no_grad():
            plain = model.module(pasted(x, patches, tops, lefts))
        ours = incremental.logits(base, patches, tops, lefts)
        assert float((ours - plain).abs().max()) <= 1e-5 * float(plain.abs().max())


def test_no_windows_give_no_logits_and_bad_ones_are_refused():
    model = models.load("squeezenet1_1", weights="random")
    base = incremental.prepare(model, picture(0))
    assert incremental.logits(base, torch.rand(0, 3, 8, 8), [], []).shape == (0, 1000)
    for patches, tops, lefts in (
        (torch.rand(1, 3, 8, 8), [SIZE - 7], [0]),
        (torch.rand(1, 3, 8, 8), [0], [-1]),
        (torch.rand(2, 3, 8, 8), [0], [0]),
        (torch.rand(1, 1, 8, 8), [0], [0]),
    ):
        with pytest.raises(SpecError):
            incremental.logits(base, patches, tops, lefts)
    with pytest.raises(SpecError, match="one picture"):
        incremental.prepare(model, torch.rand(2, 3, SIZE, SIZE))


@pytest.mark.parametrize("model_id", ["vgg16", "efficientnet_lite0", "googlenet"])
def test_less_is_computed_and_every_window_exactly_once(model_id: str):
    model = models.load(model_id, weights="random")
    network = incremental.program(model)
    tops, lefts = (axis.reshape(-1) for axis in np.meshgrid(np.arange(0, 193, 24), np.arange(0, 193, 24)))
    batches = incremental.arrange(network, (32, 32), tops, lefts, incremental.Limits(windows=7))
    assert sorted(np.concatenate([batch.members for batch in batches]).tolist()) == list(range(81))
    assert max(len(batch.members) for batch in batches) <= 7
    done = sum(batch.multiply_adds for batch in batches) + 81 * incremental.tail_multiply_adds(network)
    fewest = incremental.expected(network, (32, 32), np.unique(tops), np.unique(lefts)).multiply_adds
    assert fewest <= done <= 1.15 * fewest
    assert done < 0.75 * 81 * incremental.multiply_adds(network)


def test_the_multiply_adds_of_a_full_pass_are_those_of_the_literature():
    counts = {"vgg16": 15.47e9, "resnet18": 1.81e9, "alexnet": 0.71e9, "efficientnet_lite0": 0.385e9}
    for model_id, expected in counts.items():
        network = incremental.program(models.load(model_id, weights="random"))
        assert incremental.multiply_adds(network) == pytest.approx(expected, rel=0.01)


def test_a_batch_keeps_to_its_memory():
    network = incremental.program(models.load("resnet18", weights="random"))
    tops = lefts = np.arange(0, 193, 8)
    small = incremental.arrange(network, (32, 32), tops, lefts, incremental.Limits(memory=4 * 2**20))
    large = incremental.arrange(network, (32, 32), tops, lefts, incremental.Limits())
    assert max(len(batch.members) for batch in small) < max(len(batch.members) for batch in large)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_projective_and_receptive_fields_are_what_enumeration_finds(data: st.DataObject):
    kernel, stride, dilation = (data.draw(st.integers(1, 4)) for _ in range(3))
    before, after = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 5))
    reach = dilation * (kernel - 1) + 1
    inputs = data.draw(st.integers(max(1, reach - before - after), 30))
    outputs = (inputs + before + after - reach) // stride + 1
    slide = Slide(kernel, stride, before, dilation, inputs, outputs)
    low = data.draw(st.integers(0, inputs - 1))
    high = data.draw(st.integers(low + 1, inputs))
    reads = [{o * stride - before + dilation * tap for tap in range(kernel)} for o in range(outputs)]
    changed = [o for o in range(outputs) if reads[o] & set(range(low, high))]
    ((first,), (end,)) = slide.projective(np.array([[low], [high]]))
    # Dilated taps can leap over a change: the field is then an interval around the outputs that see it.
    assert first <= min(changed, default=first) and max(changed, default=end - 1) < end
    if dilation == 1 and changed:
        assert list(range(first, end)) == changed
    starts, length = slide.receptive(np.array([first]), max(1, end - first))
    seen = set().union(*reads[first:end]) if end > first else set()
    assert seen <= set(range(int(starts[0]), int(starts[0]) + length))
    assert slide.after >= max(max(read) for read in reads) - (inputs - 1)
