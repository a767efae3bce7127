"""Feature maps: summaries, receptive fields, sums, ablation, kernels and pooling."""

import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from convis_core import feature_maps, models
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import predict, receptive
from convis_core.results import Cell, FeatureMaps, KernelSpec, SheetSpec
from convis_core.results.architecture import Box, ReceptiveField

SIDE = 24


class Small(nn.Module):
    """A convolution, a pooling, two branches that are added, and a linear end."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU()
        )
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.grouped = nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2)
        self.short = nn.Conv2d(6, 8, 1, bias=False)
        self.relu = nn.ReLU()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.stem(x))
        x = self.relu(self.grouped(x) + self.short(x))
        return self.classifier(torch.flatten(self.average(x), 1))


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    torch.manual_seed(0)
    network = Small().eval()
    with torch.no_grad():
        network.stem[2].running_mean.normal_()
        network.stem[2].running_var.uniform_(0.5, 2)
    return models.wrap(network, input_size=SIDE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(5))


def whole_state(model: LoadedModel) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.module.state_dict().items()}


# Summaries


def test_layers_with_maps_are_found_in_order(model: LoadedModel) -> None:
    layers = feature_maps.map_layers(model)
    assert layers[:3] == ("normalise", "stem.0", "stem.1")
    assert "add" in layers
    assert "average" in layers
    assert not {"classifier", "flatten"} & set(layers)


def test_a_block_and_its_last_layer_are_both_summarised(model: LoadedModel, x: Tensor) -> None:
    block, last = feature_maps.summarise(model, x, ["stem", "stem.3"])
    assert (block.layer, block.kind, last.kind) == ("stem", "block", "activation")
    assert torch.equal(block.average, last.average)


def test_summaries_hold_one_map_per_layer(model: LoadedModel, x: Tensor) -> None:
    summaries = feature_maps.summarise(model, x, ["stem", "relu"])
    assert summaries[0].average.untyped_storage().nbytes() == 12 * 12 * 4
    assert len(pickle.dumps(summaries)) < 4000


def test_statistics_of_channels_by_hand() -> None:
    values = torch.tensor([[[0.0, 0.0], [0.0, 0.0]], [[3.0, 3.0], [3.0, 3.0]], [[0.0, 2.0], [4.0, -2.0]]])
    channels = feature_maps.statistics(values)
    assert channels.minimum.tolist() == [0, 3, -2]
    assert channels.maximum.tolist() == [0, 3, 4]
    assert channels.mean.tolist() == [0, 3, 1]
    assert channels.std.tolist() == pytest.approx([0, 0, 5**0.5])
    assert channels.sparsity.tolist() == [1, 0, 0.25]
    assert channels.dead.tolist() == [True, True, False]


def test_the_summary_of_the_maps_equals_the_summary_made_during_the_pass(model: LoadedModel, x: Tensor) -> None:
    (during,) = feature_maps.summarise(model, x, ["stem"])
    afterwards = feature_maps.summary(feature_maps.maps(model, x, "stem"))
    assert torch.equal(during.average, afterwards.average)
    for name in ("minimum", "maximum", "mean", "std", "sparsity", "dead", "shape"):
        assert getattr(during, name) == getattr(afterwards, name)


def test_a_single_cell_is_dead_only_when_it_is_zero() -> None:
    assert feature_maps.statistics(torch.tensor([[[0.0]], [[2.0]]])).dead.tolist() == [True, False]


def test_contributions_add_up_to_the_logit_where_the_rest_is_linear(model: LoadedModel, x: Tensor) -> None:
    for target in range(5):
        total = float(feature_maps.contributions(model, x, "relu", target).sum())
        bias = float(model.module.get_parameter("classifier.bias")[target])
        assert total + bias == pytest.approx(float(predict(model, x).logits[target]), abs=1e-5)


def test_contributions_equal_finite_differences(model: LoadedModel, x: Tensor) -> None:
    # d logit / d scale of a channel at scale 1 is the sum of gradient times activation.
    contributions = feature_maps.contributions(model, x, "stem", 2)
    for channel in range(6):
        sides = []
        for factor in (1 - 1e-3, 1 + 1e-3):
            values = feature_maps.maps(model, x, "stem").values.double()
            values[channel] *= factor
            sides.append(float(after_stem(model, values[None])[0, 2]))
        assert float(contributions[channel]) == pytest.approx((sides[1] - sides[0]) / 2e-3, rel=1e-3, abs=1e-4)


def after_stem(model: LoadedModel, stem: Tensor) -> Tensor:
    """The rest of the small network by hand, in the precision of its input."""
    weight = {name: value.to(stem.dtype) for name, value in model.module.state_dict().items()}
    pooled = functional.max_pool2d(stem, 3, 2, 1)
    wide = functional.conv2d(pooled, weight["grouped.weight"], weight["grouped.bias"], padding=2, dilation=2, groups=2)
    short = functional.conv2d(pooled, weight["short.weight"])
    return (wide + short).relu().mean(dim=(2, 3)) @ weight["classifier.weight"].T + weight["classifier.bias"]


# Receptive fields


def with_logits(*layers: nn.Module) -> LoadedModel:
    """The layers with positive weights, so that no two paths to a pixel cancel, and an end that returns logits."""
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 + torch.rand(parameter.shape, generator=generator))
    return models.wrap(network, input_size=SIDE)


class Branches(nn.Module):
    """Branches with different receptive fields that are added and concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 4, 5, padding=2)
        self.narrow = nn.Conv2d(3, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.wide(x) + self.narrow(x), functional.avg_pool2d(x, 3, 1, 1)], dim=1)


KINDS = {
    "convolution": [nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 5)],
    "stride": [nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.Conv2d(4, 4, 3, stride=2, padding=1)],
    "asymmetric padding": [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, stride=2)],
    "depthwise": [nn.Conv2d(3, 6, 3, padding=1, groups=3), nn.BatchNorm2d(6), nn.ReLU6(), nn.Conv2d(6, 4, 1)],
    "average pooling": [nn.Conv2d(3, 4, 3, padding=1), nn.AvgPool2d(3, stride=2, padding=1)],
    "adaptive pooling": [nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(4)],
    "branches": [Branches(), nn.Conv2d(7, 4, 3, stride=2, padding=1)],
}
POOLED = {
    "max pooling": [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2, padding=1)],
    "ceil mode": [nn.Conv2d(3, 4, 3), nn.MaxPool2d(4, stride=3, ceil_mode=True), nn.MaxPool2d(2)],
    "dilation": [nn.Conv2d(3, 4, 3, padding=2, dilation=2), nn.MaxPool2d(2)],
}


def corners_and_middle(rows: int, columns: int) -> list[tuple[int, int]]:
    return [(0, 0), (0, columns - 1), (rows - 1, 0), (rows - 1, columns - 1), (rows // 2, columns // 2)]


@pytest.mark.parametrize("kind", KINDS)
def test_field_is_the_set_of_pixels_with_a_gradient(kind: str) -> None:
    model = with_logits(*KINDS[kind])
    x = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2)) / 100  # far below ReLU6's ceiling
    layer = str(len(KINDS[kind]) - 1)
    layer = layer if layer in feature_maps.map_layers(model) else f"{layer}.cat"
    maps = feature_maps.maps(model, x, layer).values
    for row, column in corners_and_middle(*maps.shape[1:]):
        field = feature_maps.effective_field(model, x, layer, Cell(1, row, column))
        inside = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        inside[field.box.top : field.box.bottom, field.box.left : field.box.right] = True
        assert torch.equal(field.values > 0, inside)


@pytest.mark.parametrize("kind", POOLED)
def test_field_of_a_max_pooling_is_what_a_bright_pixel_can_reach(kind: str) -> None:
    # A maximum passes on one pixel only, the brightest. So every row and column of the picture is tried.
    model = with_logits(*POOLED[kind])
    layer = str(len(POOLED[kind]) - 1)
    maps = feature_maps.maps(model, torch.rand(1, 3, SIDE, SIDE), layer).values
    for row, column in corners_and_middle(*maps.shape[1:]):
        box = receptive.box(model, layer, row, column)
        reached = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        for y in range(SIDE):
            for x in {y, box.left, box.right - 1}:
                picture = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(y)) / 100
                picture[..., y, x] = 10
                reached |= feature_maps.effective_field(model, picture, layer, Cell(0, row, column)).values > 0
        rows, columns = (reached.any(dim=axis).nonzero().flatten() for axis in (1, 0))
        assert Box(int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1) == box


def test_effective_field_of_one_convolution_is_its_kernel(x: Tensor) -> None:
    model = models.wrap(
        nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()), input_size=SIDE
    )
    field = feature_maps.effective_field(model, x, "0", Cell(1, 0, 10))
    kernel = model.module.get_parameter("0.weight")[1].abs().amax(dim=0)
    assert field.box == Box(0, 9, 2, 12)
    torch.testing.assert_close(feature_maps.crop(field.values[None].expand(3, -1, -1), field.box)[0], kernel[1:])
    assert float(field.values.sum()) == pytest.approx(float(kernel[1:].sum()))
    assert field.core_area(1.0) == 1
    assert 0 < field.core_area(0.5) <= 0.5


def test_a_silent_cell_has_no_effective_field(model: LoadedModel, x: Tensor) -> None:
    maps = feature_maps.maps(model, x, "stem").values
    silent = Cell(*(int(index) for index in (maps == 0).nonzero()[0]))
    field = feature_maps.effective_field(model, x, "stem", silent)
    assert not field.values.any()
    assert field.core_area() == 0


def test_aligned_map_equals_stretching_where_the_map_tiles_the_picture() -> None:
    values = torch.rand(7, 7)
    vgg16 = ReceptiveField(size=(212, 212), jump=(32, 32), start=(-90, -90))
    stretched = functional.interpolate(values[None, None], size=224, mode="nearest")[0, 0]
    assert torch.equal(feature_maps.aligned(values, vgg16, 224), stretched)


def test_aligned_map_puts_each_cell_at_the_centre_of_its_field() -> None:
    alexnet = ReceptiveField(size=(195, 195), jump=(32, 32), start=(-66, -66))
    marked = feature_maps.aligned(torch.eye(6), alexnet, 224)
    for cell in range(6):
        middle = -66 + 195 // 2 + 32 * cell
        assert marked[middle, middle] == 1
    for y, x in ((0, 0), (31, 46), (100, 220), (223, 223)):
        row, column = feature_maps.cell_under(alexnet, (6, 6), x + 0.5, y + 0.5)
        assert float(marked[y, x]) == float(row == column)


# Sums of products


@pytest.mark.parametrize(
    ("layer", "convolution", "then"),
    [("stem.1", "stem.1", 0), ("stem", "stem.1", 2), ("grouped", "grouped", 0), ("short", "short", 0)],
)
def test_a_cell_is_the_sum_of_its_products(
    model: LoadedModel, x: Tensor, layer: str, convolution: str, then: int
) -> None:
    maps = feature_maps.maps(model, x, layer).values
    for row, column in corners_and_middle(*maps.shape[1:]):
        cell = Cell(maps.shape[0] - 1, row, column)
        written = feature_maps.sum_of_products(model, x, layer, cell)
        assert written.layer == convolution == feature_maps.underlying_convolution(model, layer)
        assert float(written.products.sum()) + written.bias == pytest.approx(written.total, abs=1e-5)
        assert len(written.then) == then
        assert written.supporting() + written.opposing() == pytest.approx(float(written.by_input().sum()), abs=1e-5)
        assert written.opposing() <= 0 <= written.supporting()
        assert (written.then[-1][1] if then else written.total) == pytest.approx(float(maps[cell]), abs=1e-6)
        assert not written.inputs[:, written.outside].any()


def test_taps_on_padding_are_marked_wherever_the_padding_comes_from(model: LoadedModel, x: Tensor) -> None:
    last = feature_maps.sum_of_products(model, x, "stem", Cell(0, 11, 11))
    assert last.outside.tolist() == [[False, False, True], [False, False, True], [True, True, True]]
    first = feature_maps.sum_of_products(model, x, "grouped", Cell(0, 0, 2))
    assert first.outside.tolist() == [[True] * 3, [False] * 3, [False] * 3]


@pytest.mark.parametrize("layer", ["pool", "relu", "add", "average", "normalise"])
def test_other_layers_are_not_single_sums(model: LoadedModel, x: Tensor, layer: str) -> None:
    assert feature_maps.underlying_convolution(model, layer) is None
    with pytest.raises(SpecError, match="not the sums"):
        feature_maps.sum_of_products(model, x, layer, Cell(0, 0, 0))


# Ablation


@pytest.mark.parametrize("keep_only", [False, True])
def test_ablation_equals_zeroing_by_hand(model: LoadedModel, x: Tensor, keep_only: bool) -> None:
    state, hooks = whole_state(model), len(model.module.get_submodule("stem")._forward_hooks)
    ablation = feature_maps.ablate(model, x, "stem", [4, 1, 4], keep_only=keep_only)
    stem = feature_maps.maps(model, x, "stem").values[None].clone()
    stem[:, [0, 2, 3, 5] if keep_only else [1, 4]] = 0
    torch.testing.assert_close(ablation.after.logits, after_stem(model, stem)[0])
    assert not torch.equal(ablation.after.logits, ablation.before.logits)
    assert torch.equal(ablation.before.logits, predict(model, x).logits)
    assert ablation.channels == (1, 4)
    assert len(ablation.after.top) == 5
    assert all(torch.equal(value, state[name]) for name, value in model.module.state_dict().items())
    assert len(model.module.get_submodule("stem")._forward_hooks) == hooks == 0
    assert not model.module.training


def test_ablating_nothing_and_keeping_everything_change_nothing(model: LoadedModel, x: Tensor) -> None:
    for ablation in (
        feature_maps.ablate(model, x, "relu", []),
        feature_maps.ablate(model, x, "relu", range(8), keep_only=True),
    ):
        assert torch.equal(ablation.before.logits, ablation.after.logits)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_grad_mode_is_left_as_it_was(model: LoadedModel, x: Tensor, enabled: bool) -> None:
    with torch.set_grad_enabled(enabled):
        feature_maps.summarise(model, x, ["stem"])
        feature_maps.contributions(model, x, "stem", 0)
        feature_maps.effective_field(model, x, "stem", Cell(0, 0, 0))
        feature_maps.ablate(model, x, "stem", [0])
        assert torch.is_grad_enabled() == enabled


# Kernels


def test_filters_are_the_weights_with_their_norms(model: LoadedModel) -> None:
    kernels = feature_maps.filters(model, "grouped")
    weight = model.module.get_parameter("grouped.weight")
    assert torch.equal(kernels.weights, weight)
    assert kernels.weights.data_ptr() != weight.data_ptr()
    assert kernels.norms.tolist() == pytest.approx([float(kernel.square().sum().sqrt()) for kernel in weight])
    assert (kernels.groups, kernels.on_picture) == (2, False)
    assert not feature_maps.filters(model, "short").bias.any()


def test_convolutions_of_the_network_and_of_a_block(model: LoadedModel) -> None:
    assert feature_maps.convolutions(model) == ("stem.1", "grouped", "short")
    assert feature_maps.convolutions(model, "stem") == ("stem.1",)
    assert feature_maps.convolutions(model, "relu") == ()


@pytest.mark.parametrize("scale", ["layer", "channel"])
def test_colour_sheet_shows_zero_as_grey_and_preserves_the_signs(model: LoadedModel, scale: str) -> None:
    kernels = feature_maps.filters(model, "stem.1")
    assert kernels.on_picture
    sheet = feature_maps.colour_sheet(kernels, scale=scale)  # type: ignore[arg-type]
    top = left = sheet.layout.gap
    zoom = sheet.layout.zoom
    shown = sheet.values[:, top : top + 3 * zoom : zoom, left : left + 3 * zoom : zoom]
    bound = kernels.weights.abs().max() if scale == "layer" else kernels.weights[0].abs().max()
    torch.testing.assert_close(shown, 0.5 + kernels.weights[0] / bound / 2)
    assert float(sheet.low[0]) == -float(sheet.high[0])


def test_slices_by_filter_and_by_input_channel(model: LoadedModel) -> None:
    kernels = feature_maps.filters(model, "grouped")
    one_filter = feature_maps.kernel_sheet(kernels, KernelSpec(across="inputs", index=7, order="norm"))
    norms = kernels.weights[7].flatten(1).norm(dim=1)
    assert one_filter.layout.channels == tuple(norms.argsort(descending=True).tolist())
    one_input = feature_maps.kernel_sheet(kernels, KernelSpec(across="filters", index=2))
    assert one_input.layout.channels == tuple(range(8))
    gap = one_input.layout.gap
    low, high = float(one_input.low[0]), float(one_input.high[0])
    assert low + (high - low) * float(one_input.values[gap, gap]) == pytest.approx(float(kernels.weights[0, 2, 0, 0]))


def test_a_1x1_convolution_is_one_map_of_weights(model: LoadedModel) -> None:
    kernels = feature_maps.filters(model, "short")
    sheet = feature_maps.matrix_sheet(kernels, width=60)
    assert feature_maps.filters_across(kernels)
    assert (sheet.layout.map_height, sheet.layout.map_width) == (6, 8)
    bound = float(kernels.weights.abs().max())
    shown = sheet.values[:: sheet.layout.zoom, :: sheet.layout.zoom]
    torch.testing.assert_close(shown, 0.5 + kernels.weights[:, :, 0, 0].T / bound / 2)
    with pytest.raises(SpecError, match="larger than 1 x 1"):
        feature_maps.matrix_sheet(feature_maps.filters(model, "grouped"))


def test_a_kernel_of_zeros_is_the_middle_of_the_scale() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    nn.init.zeros_(network[0].weight)
    kernels = feature_maps.filters(models.wrap(network, input_size=8), "0")
    values = feature_maps.kernel_sheet(kernels, KernelSpec()).values
    assert (values[~values.isnan()] == 0.5).all()


# Pooling


def test_a_pooling_before_and_after(model: LoadedModel, x: Tensor) -> None:
    assert feature_maps.max_pools(model) == ("pool",)
    pair = feature_maps.pool_pair(model, x, "pool")
    assert (pair.kernel, pair.stride) == ((3, 3), (2, 2))
    assert torch.equal(pair.before, feature_maps.maps(model, x, "stem").values)
    assert torch.equal(pair.after, functional.max_pool2d(pair.before[None], 3, 2, 1)[0])


def test_every_cell_after_a_pooling_is_the_largest_in_its_window(model: LoadedModel, x: Tensor) -> None:
    for pair in (
        feature_maps.pool_pair(model, x, "pool"),
        feature_maps.pooled(feature_maps.maps(model, x, "stem"), window=5),
    ):
        for row in range(pair.after.shape[1]):
            for column in range(pair.after.shape[2]):
                box = pair.window(row, column)
                inside = pair.before[:, box.top : box.bottom, box.left : box.right]
                assert torch.equal(inside.amax(dim=(1, 2)), pair.after[:, row, column])
                assert pair.cell_over(box.bottom - 1, box.right - 1)[0] >= row
        for row in range(pair.before.shape[1]):
            box = pair.window(*pair.cell_over(row, 3))
            beyond = row >= pair.window(pair.after.shape[1] - 1, 0).bottom
            assert beyond or (box.top <= row < box.bottom and box.left <= 3 < box.right)


def test_a_pooling_that_the_network_does_not_have(model: LoadedModel, x: Tensor) -> None:
    maps = feature_maps.maps(model, x, "relu")
    pair = feature_maps.pooled(maps, window=3)
    assert torch.equal(pair.before, maps.values)
    assert torch.equal(pair.after, functional.max_pool2d(maps.values[None], 3)[0])


def test_agreement_is_the_correlation_with_the_map_stretched_back() -> None:
    blocks = torch.rand(1, 3, 3).repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    same = feature_maps.pooled(FeatureMaps("layer", blocks, feature_maps.statistics(blocks)))
    assert same.agreement(0) == pytest.approx(1)
    noise = torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(0))
    pair = feature_maps.pooled(FeatureMaps("layer", noise, feature_maps.statistics(noise)))
    stretched = pair.after[0].repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)
    expected = torch.corrcoef(torch.stack([noise[0].flatten(), stretched.flatten()]))[0, 1]
    assert pair.agreement(0) == pytest.approx(float(expected), abs=1e-6)
    flat = torch.ones(1, 4, 4)
    assert feature_maps.pooled(FeatureMaps("layer", flat, feature_maps.statistics(flat))).agreement(0) == 1


# Refusals and records


def test_what_does_not_exist_is_refused_in_a_sentence(model: LoadedModel, x: Tensor) -> None:
    maps = feature_maps.maps(model, x, "stem")
    kernels = feature_maps.filters(model, "stem.1")
    refusals = [
        (lambda: feature_maps.summarise(model, x[..., 1:]), "one picture"),
        (lambda: feature_maps.summarise(model, x, ["nowhere"]), "no layer"),
        (lambda: feature_maps.maps(model, x, "classifier"), "no maps"),
        (lambda: feature_maps.contributions(model, x, "stem", 5), "Class 5"),
        (
            lambda: feature_maps.effective_field(model, x, "stem", Cell(0, 12, 0)),
            "row in layer stem .* from 0 to 11, not 12",
        ),
        (
            lambda: feature_maps.effective_field(model, x, "stem", Cell(-1, 0, 0)),
            "channel in layer stem .* from 0 to 5, not -1",
        ),
        (lambda: feature_maps.ablate(model, x, "stem", [0, 6]), "channel of layer stem .* from 0 to 5, not 6"),
        (lambda: feature_maps.filters(model, "pool"), "not a convolution"),
        (lambda: feature_maps.filters(model, "stem"), "not a convolution"),
        (lambda: feature_maps.kernel_sheet(kernels, KernelSpec(index=3)), "input channel .* from 0 to 2, not 3"),
        (lambda: feature_maps.kernel_sheet(kernels, KernelSpec(page=1)), "sheet .* from 0 to 0, not 1"),
        (lambda: feature_maps.colour_sheet(feature_maps.filters(model, "short")), "do not read the picture"),
        (lambda: feature_maps.contact_sheet(maps, SheetSpec(order="contribution")), "give the contributions"),
        (lambda: feature_maps.contact_sheet(maps, SheetSpec(page=-1)), "sheet .* from 0 to 0, not -1"),
        (lambda: feature_maps.contact_sheet(maps, SheetSpec(per_page=0)), "maps on a sheet .* from 1 to 4,096, not 0"),
        (lambda: feature_maps.pool_pair(model, x, "stem"), "not a max pooling"),
    ]
    for attempt, words in refusals:
        with pytest.raises(SpecError, match=words):
            attempt()


def test_records_pickle(model: LoadedModel, x: Tensor) -> None:
    maps = feature_maps.maps(model, x, "stem")
    for record in (
        feature_maps.summarise(model, x, ["stem"]),
        maps,
        feature_maps.contact_sheet(maps, SheetSpec()),
        feature_maps.effective_field(model, x, "stem", Cell(0, 3, 3)),
        feature_maps.sum_of_products(model, x, "stem", Cell(0, 3, 3)),
        feature_maps.ablate(model, x, "stem", [1]),
        feature_maps.filters(model, "stem.1"),
        feature_maps.pool_pair(model, x, "pool"),
    ):
        assert type(pickle.loads(pickle.dumps(record))) is type(record)
