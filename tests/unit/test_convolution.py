"""The arithmetic of the convolution page against torch, and against numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from convis_core import convolution, models
from convis_core.errors import SpecError
from convis_core.network import receptive, record
from convis_core.results.convolution import PoolKind, Window

SEEDS = st.integers(0, 10_000)


def noise(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=60, deadline=None)
@given(
    SEEDS,
    st.integers(1, 3),
    st.integers(1, 3),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_convolve_equals_torch(
    seed: int, channels: int, filters: int, size: tuple[int, int], kernel: tuple[int, int], stride: int, padding: int
) -> None:
    assume(all(f <= w + 2 * padding for f, w in zip(kernel, size, strict=True)))
    picture, weights = noise(seed, channels, *size), noise(seed + 1, filters, channels, *kernel)
    bias = noise(seed + 2, filters)
    slide = convolution.slide(picture, weights, bias, stride=stride, padding=padding)
    ours = convolution.convolve(slide)
    theirs = functional.conv2d(picture[None], weights, bias, stride, padding)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    steps = [convolution.step(slide, index) for index in range(convolution.step_count(slide))]
    # One window at a time, in the order of the output's numbers.
    torch.testing.assert_close(torch.tensor([step.value for step in steps]), theirs.flatten(), rtol=1e-5, atol=1e-5)
    for step in (steps[0], steps[-1]):
        assert ours[step.filter, step.row, step.column].item() == pytest.approx(step.value, abs=1e-5)
        assert step.bias + float(step.channel_sums.sum()) == pytest.approx(step.value, abs=1e-4)
        assert (step.top, step.left) == (step.row * stride - padding, step.column * stride - padding)


def test_the_vertical_edge_by_hand() -> None:
    kernel = convolution.get_kernel("vertical_edge").filter()
    slide = convolution.slide(convolution.get_grid("vertical").picture(), kernel)
    # 3 * 10 - 3 * 0 where the window has bright cells on its left and dark ones on its right, else 0.
    assert convolution.convolve(slide)[0].tolist() == [[0.0, 30.0, 30.0, 0.0]] * 4
    step = convolution.step(slide, 1)
    assert step.window[0].tolist() == [[10.0, 10.0, 0.0]] * 3
    assert step.products[0].tolist() == [[10.0, 0.0, 0.0]] * 3
    assert (step.value, step.steps) == (30.0, 16)
    horizontal = convolution.slide(convolution.get_grid("horizontal").picture(), kernel)
    assert convolution.convolve(horizontal).abs().max() == 0


def test_two_filters_over_three_channels() -> None:
    slide = convolution.volume(seed=3)
    assert convolution.convolve(slide).shape == (2, 3, 3)
    assert convolution.step_count(slide) == 18
    step = convolution.step(slide, 9)
    assert (step.filter, step.row, step.column, step.top, step.left) == (1, 0, 0, -1, -1)
    assert step.window[:, 0].abs().max() == 0, "the first row of the first window is padding"
    assert torch.equal(convolution.volume(3).picture, slide.picture)
    assert not torch.equal(convolution.volume(4).picture, slide.picture)


def test_every_named_kernel_on_constant_brightness() -> None:
    constant = torch.full((1, 9, 9), 0.7)
    responses = {}
    for kernel in convolution.KERNELS:
        weights = kernel.filter()
        assert weights.shape[0] == weights.shape[1] and weights.shape[0] in (3, 5, 7)
        responses[kernel.id] = float(convolution.convolve(convolution.slide(constant, weights))[0, 0, 0])
    # An edge detector is silent there, and a blur or a sharpening returns the brightness.
    for silent in ("vertical_edge", "horizontal_edge", "sobel", "laplacian", "gabor"):
        assert responses[silent] == pytest.approx(0, abs=1e-6)
    for unchanged in ("blur", "gaussian", "sharpen", "emboss", "identity"):
        assert responses[unchanged] == pytest.approx(0.7, abs=1e-5)


def test_a_gabor_filter_turned_by_a_right_angle_is_its_transpose() -> None:
    vertical, horizontal = convolution.gabor(7), convolution.gabor(7, angle=math.pi / 2)
    torch.testing.assert_close(vertical.T, horizontal)
    assert float(vertical.sum()) == pytest.approx(0, abs=1e-5)


def pooled_size(width: int, kernel: int, padding: int, stride: int, ceil: bool) -> int | None:
    """The size of the output of torch's own layer; None where torch refuses the padding."""
    if 2 * padding > kernel:
        return None
    layer = nn.MaxPool1d(kernel, stride, padding, ceil_mode=ceil)
    return layer(torch.zeros(1, 1, width)).shape[2]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@settings(max_examples=150, deadline=None)
@given(st.integers(1, 20), st.integers(1, 7), st.integers(0, 4), st.integers(1, 6))
def test_output_size_equals_torch(width: int, kernel: int, padding: int, stride: int) -> None:
    assume(kernel <= width + 2 * padding)
    size = convolution.output_size(width, kernel, padding=padding, stride=stride)
    output = functional.conv1d(torch.zeros(1, 1, width), torch.zeros(1, 1, kernel), stride=stride, padding=padding)
    assert size.floor == output.shape[2] == len(size.starts)
    assert size.divides == ((width - kernel + 2 * padding) % stride == 0)
    assert size.exact == size.floor if size.divides else size.floor < size.exact < size.floor + 1
    for ceil, ours in ((False, size.floor), (True, size.ceil)):
        theirs = pooled_size(width, kernel, padding, stride, ceil)
        if theirs is not None:
            assert ours == theirs
    if stride == 1:
        same = functional.conv1d(torch.zeros(1, 1, width), torch.zeros(1, 1, kernel), padding="same")
        assert size.same == same.shape[2]
    padded = functional.pad(torch.zeros(1, 1, width), size.same_padding)
    assert functional.conv1d(padded, torch.zeros(1, 1, kernel), stride=stride).shape[2] == size.same


def test_sizes_that_do_not_divide() -> None:
    size = convolution.output_size(10, 3, stride=2)
    assert (float(size.exact), size.floor, size.ceil, size.unseen) == (4.5, 4, 5, 1)
    assert (size.same, size.same_padding) == (5, (0, 1))
    alexnet = convolution.output_size(227, 11, stride=4)
    assert (alexnet.floor, alexnet.divides) == (55, True)
    assert convolution.output_size(224, 11, padding=2, stride=4).floor == 55


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 4), st.integers(1, 5))
def test_coverage_is_the_gradient_of_the_sum_of_windows(width: int, kernel: int, padding: int, stride: int) -> None:
    assume(kernel <= width + 2 * padding)
    picture = torch.zeros(1, 1, width, width, requires_grad=True)
    functional.conv2d(picture, torch.ones(1, 1, kernel, kernel), stride=stride, padding=padding).sum().backward()
    ours = convolution.coverage(convolution.output_size(width, kernel, padding=padding, stride=stride))
    assert picture.grad is not None
    assert ours.tolist() == picture.grad[0, 0].long().tolist()


def test_coverage_of_corners() -> None:
    unpadded = convolution.coverage(convolution.output_size(6, 3))
    assert (unpadded[0, 0].item(), unpadded[2, 2].item()) == (1, 9)
    padded = convolution.coverage(convolution.output_size(6, 3, padding=1))
    assert (padded[0, 0].item(), padded[2, 2].item()) == (4, 9)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4))
def test_pooling_equals_torch(seed: int, channels: int, height: int, width: int, window: int, stride: int) -> None:
    assume(window <= min(height, width))
    values = noise(seed, channels, height, width)
    largest = convolution.pool(values, window=window, stride=stride, kind="max")
    theirs, indices = functional.max_pool2d(values[None], window, stride, return_indices=True)
    assert torch.equal(largest.values, theirs[0])
    assert largest.winners is not None
    assert torch.equal(largest.winners[..., 0] * width + largest.winners[..., 1], indices[0])
    mean = convolution.pool(values, window=window, stride=stride, kind="average")
    torch.testing.assert_close(mean.values, functional.avg_pool2d(values[None], window, stride)[0])
    assert mean.winners is None


@pytest.mark.parametrize(
    ("corner", "cell"), [("top left", (2, 2)), ("top right", (2, 5)), ("bottom left", (5, 2)), ("bottom right", (5, 5))]
)
def test_only_the_corner_exceeds_the_threshold(corner: str, cell: tuple[int, int]) -> None:
    square = convolution.get_grid("square").picture()[0]
    maps = convolution.find_corners(square, corner)  # type: ignore[arg-type]
    # Output cell (i, j) is centred on pixel (i + 1, j + 1); the square's corner pixels are 2 and 5.
    detected = [(row + 1, column + 1) for row, column in maps.corners.nonzero().tolist()]
    assert detected == [cell]
    assert maps.threshold == 30
    assert maps.corners.max() == 10
    assert maps.vertical.max() == maps.horizontal.max() == 30


def test_the_corner_map_is_a_second_convolution() -> None:
    picture = noise(5, 12, 12)
    maps = convolution.find_corners(picture, "bottom right", share=0.6)
    edges = torch.stack([maps.vertical, maps.horizontal])
    second = functional.conv2d(edges[None], torch.ones(1, 2, 1, 1), torch.tensor([-maps.threshold]))[0, 0]
    torch.testing.assert_close(maps.corners, second.relu())


def test_growth_by_hand_and_in_a_real_network() -> None:
    layers = [Window(3, padding=1), Window(3, stride=2), Window(2, stride=2), Window(3, dilation=2)]
    grown = convolution.grow(layers, 40)
    assert [(step.cells, step.size, step.jump, step.start) for step in grown] == [
        (40, 1, 1, 0),
        (40, 3, 1, -1),
        (19, 5, 2, -1),
        (9, 7, 4, -1),
        (5, 23, 4, -1),
    ]
    assert grown[1].seen(0, 40) == (0, 2)
    network = nn.Sequential(
        *(nn.Conv2d(3, 3, w.kernel, w.stride, w.padding, w.dilation) for w in layers),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    model = models.wrap(network, input_size=40)
    for index, step in enumerate(grown[1:]):
        field = receptive.field(model, str(index))
        assert (field.size[0], field.jump[0], field.start[0]) == (step.size, step.jump, step.start)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.integers(1, 5), st.integers(0, 6))
def test_the_terms_of_a_shared_weight_add_up_to_autograds_gradient(seed: int, taps: int, more: int) -> None:
    x, targets = noise(seed, taps + more), noise(seed + 1, more + 1)
    weights = noise(seed + 2, taps).requires_grad_(True)
    outputs = functional.conv1d(x[None, None], weights[None, None])[0, 0]
    loss = (outputs - targets).square().sum() / 2
    loss.backward()
    ours = convolution.learn(x, weights.detach(), targets)
    assert weights.grad is not None
    torch.testing.assert_close(ours.gradient, weights.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.autograd, weights.grad)
    torch.testing.assert_close(ours.outputs, outputs.detach(), rtol=1e-4, atol=1e-5)
    assert ours.loss == pytest.approx(loss.item(), rel=1e-4, abs=1e-6)
    assert ours.terms.shape == (taps, more + 1)
    # Term by term: if each position had a weight of its own, its gradient would be the term.
    for tap in range(taps):
        for position in range(more + 1):
            assert ours.terms[tap, position].item() == pytest.approx(
                float(ours.errors[position] * x[position + tap]), rel=1e-4, abs=1e-6
            )


def test_a_step_against_the_gradient_lowers_the_loss() -> None:
    x, targets = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0]), torch.tensor([0.0, 1.0, 0.0, 0.0])
    before = convolution.learn(x, torch.tensor([0.2, 0.1]), targets)
    after = convolution.learn(x, before.weights - 0.1 * before.gradient, targets)
    assert after.loss < before.loss


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-5, 5, width=32), min_size=1, max_size=40), st.integers(1, 50))
def test_relu_and_its_histograms(numbers: list[float], bins: int) -> None:
    values = torch.tensor([numbers])
    view = convolution.rectify(values, bins=bins)
    assert torch.equal(view.after, functional.relu(values))
    assert view.counts_before.sum() == view.counts_after.sum() == values.numel()
    assert 0.0 in view.edges.tolist()
    zero = view.edges.tolist().index(0.0)
    assert int(view.counts_before[:zero].sum()) == int((values < 0).sum())
    assert int(view.counts_after[:zero].sum()) == 0
    assert view.silenced == pytest.approx(sum(number < 0 for number in numbers) / len(numbers))
    assert float(view.edges[0]) <= float(values.min()) + 1e-6
    assert float(view.edges[-1]) >= float(values.max()) - 1e-6


def kind(text: str) -> PoolKind:
    return text  # type: ignore[return-value]


PICTURE, FILTER = torch.zeros(2, 5, 5), torch.zeros(1, 2, 3, 3)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: convolution.slide(PICTURE, torch.zeros(1, 3, 3, 3)),
        lambda: convolution.slide(PICTURE[0], FILTER),
        lambda: convolution.slide(PICTURE, FILTER, torch.zeros(2)),
        lambda: convolution.slide(PICTURE, FILTER * math.nan),
        lambda: convolution.slide(PICTURE, FILTER, stride=0),
        lambda: convolution.slide(PICTURE, torch.zeros(1, 2, 7, 3)),
        lambda: convolution.step(convolution.slide(PICTURE, FILTER), 9),
        lambda: convolution.step(convolution.slide(PICTURE, FILTER), -1),
        lambda: convolution.output_size(4, 7, padding=1),
        lambda: convolution.output_size(4, 3, stride=0),
        lambda: convolution.pool(PICTURE, window=6),
        lambda: convolution.pool(PICTURE, kind=kind("median")),
        lambda: convolution.find_corners(torch.zeros(2, 5)),
        lambda: convolution.find_corners(torch.zeros(5, 5), share=-1),
        lambda: convolution.grow([Window(3), Window(9)], 10),
        lambda: convolution.learn(torch.zeros(3), torch.zeros(4), torch.zeros(1)),
        lambda: convolution.learn(torch.zeros(3), torch.zeros(2), torch.zeros(1)),
        lambda: convolution.get_kernel("no such kernel"),
        lambda: convolution.get_grid("no such grid"),
        lambda: convolution.read_rows("1 2 / 3"),
        lambda: convolution.read_rows("1 x / 3 4"),
        lambda: convolution.read_rows("1 2 / / 3 4"),
        lambda: convolution.read_rows("nan 1"),
        lambda: convolution.read_rows(" / ".join(["1"] * 12)),
        lambda: convolution.read_line("1 " * 12),
        lambda: convolution.read_line(""),
    ],
)  # fmt: skip
def test_impossible_requests_are_refused_in_a_sentence(ask: object) -> None:
    with pytest.raises(SpecError) as refused:
        ask()  # type: ignore[operator]
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("model_id", ["alexnet", "efficientnet_lite0"])
def test_first_filters_on_pixels_are_the_networks_first_convolution(model_id: str) -> None:
    model = models.load(model_id, weights="random")
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    filters, bias = convolution.first_filters(model)
    name = {"alexnet": "features.0", "efficientnet_lite0": "stem.conv"}[model_id]
    theirs = record(model, x, [name])[name][0]
    stride = model.module.get_submodule(name).stride[0]
    before = {"alexnet": 2, "efficientnet_lite0": 0}[model_id]
    ours = convolution.convolve(convolution.slide(x[0], filters, bias, stride=1))
    # Away from the border, since the network pads with the mean colour and not with black.
    for cell in (5, 20, 40):
        position = cell * stride - before
        torch.testing.assert_close(ours[:, position, position], theirs[:, cell, cell], rtol=1e-4, atol=1e-4)


def test_every_cell_of_a_small_picture_is_a_mean() -> None:
    x = torch.rand(1, 3, 8, 8)
    small = convolution.shrink(x, 4, grey=False)
    torch.testing.assert_close(small[:, 0, 0], x[0, :, :2, :2].mean(dim=(1, 2)))
    grey = convolution.shrink(torch.full((1, 3, 8, 8), 0.4), 2, grey=True)
    torch.testing.assert_close(grey, torch.full((1, 2, 2), 0.4))


def test_layers_are_read_from_text() -> None:
    assert convolution.parse("c3 c7s2 C3d2 p2 p3s2") == (
        Window(3, 1, 1), Window(7, 2, 3), Window(3, 1, 2, 2), Window(2, 2), Window(3, 2),
    )  # fmt: skip
    assert convolution.parse("  ") == ()
    vgg = convolution.grow(convolution.parse("c3 c3 p2 c3 c3 p2 " + "c3 c3 c3 p2 " * 3), 224)
    assert (vgg[-1].size, vgg[-1].cells) == (212, 7)
    for text in ("c", "x3", "c3q", "c0", "c99", "p-2", "c3 " * 41):
        with pytest.raises(SpecError):
            convolution.parse(text)


def test_a_kernel_can_be_read_from_what_is_written() -> None:
    assert convolution.read_rows("1 0 -1/2,0,-2 / 1e0 0.5 -.25") == ((1, 0, -1), (2, 0, -2), (1, 0.5, -0.25))
    for kernel in convolution.KERNELS:
        again = torch.tensor(convolution.read_rows(convolution.write_rows(kernel.weights)))
        torch.testing.assert_close(again, kernel.filter(), rtol=1e-4, atol=1e-5)
    assert convolution.read_line(" 1 2,3 ").tolist() == [1, 2, 3]
