"""What a cell sees, against the pixels to which its gradient does not vanish."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convis_core import models
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import forward, receptive, trace
from convis_core.network.shapes import grid
from convis_core.results.architecture import Box, ReceptiveField

SIDE = 23


class Branches(nn.Module):
    """Ways of different lengths that meet by adding and by concatenation, with a gate over all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.ZeroPad2d((0, 2, 1, 0)), nn.Conv2d(3, 4, (4, 3), stride=(2, 1)))
        self.wide = nn.Conv2d(4, 4, (1, 5), padding=(0, 4), dilation=(1, 2))
        self.short = nn.Conv2d(4, 4, 1)
        self.down = nn.Conv2d(4, 2, 3, stride=2, padding=1)
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.gate = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = torch.relu(self.wide(x) + self.short(x))
        y = torch.cat([self.down(x), nn.functional.avg_pool2d(x, 3, 2, 1)], dim=1)
        y = y * self.gate(y)
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(y, 1), 1))


def positive(network: nn.Module, side: int = SIDE) -> LoadedModel:
    """The network with positive weights, so that no two ways to a pixel can cancel."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.1 + torch.rand(parameter.shape, generator=generator))
    return models.wrap(network, input_size=side)


def straight(*layers: nn.Module, side: int = SIDE) -> LoadedModel:
    return positive(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), side)


def touched(model: LoadedModel, layer: str, row: int, column: int) -> Box:
    """The slow twin: differentiate the cell and look which pixels it depends on."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(1, 3, model.input_size, model.input_size, generator=generator).requires_grad_(True)
    _, outputs = forward(trace(model), x, layers=[layer])
    cell = outputs[layer][0, :, row, column].sum()
    if not cell.requires_grad:
        return Box(0, 0, 0, 0)
    (gradient,) = torch.autograd.grad(cell, x)
    rows = gradient[0].abs().sum(dim=(0, 2)).nonzero().flatten().tolist()
    columns = gradient[0].abs().sum(dim=(0, 1)).nonzero().flatten().tolist()
    return Box(rows[0], columns[0], rows[-1] + 1, columns[-1] + 1) if rows else Box(0, 0, 0, 0)


def cells(model: LoadedModel, layer: str) -> list[tuple[int, int]]:
    """Corners, the middle, and one beside the border."""
    node = trace(model).node(layer)
    rows, columns = grid(trace(model).shapes[node])
    down = {0, min(1, rows - 1), rows // 2, rows - 1}
    return [(row, column) for row in down for column in {0, columns // 2, columns - 1}]


WINDOWS: tuple[nn.Module, ...] = (
    nn.Conv2d(3, 2, 3),
    nn.Conv2d(3, 2, 3, padding=1, stride=2),
    nn.Conv2d(3, 2, 4, padding=3, stride=3),
    nn.Conv2d(3, 2, (1, 5), padding=(0, 2)),
    nn.Conv2d(3, 2, 3, padding=4, dilation=3),
    nn.Conv2d(3, 2, 3, padding=1, dilation=2),
    nn.Conv2d(3, 2, 2, stride=4),
    nn.Conv2d(3, 2, 4, padding="same"),
    nn.Conv2d(3, 2, 5, padding="valid"),
    nn.Conv2d(3, 3, 3, padding=1, groups=3),
    nn.AvgPool2d(3, stride=2, padding=1),
    nn.AvgPool2d(4, stride=3, ceil_mode=True),
    nn.AvgPool2d((2, 3)),
    nn.AdaptiveAvgPool2d(7),
    nn.AdaptiveAvgPool2d((1, 5)),
    nn.ZeroPad2d((0, 2, 1, 3)),
    nn.ZeroPad2d((-2, 1, -1, 0)),
    nn.BatchNorm2d(3),
    nn.Sigmoid(),
)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_box_of_one_window_is_what_the_gradient_touches(window: nn.Module) -> None:
    model = straight(window)
    for row, column in cells(model, "0"):
        assert receptive.box(model, "0", row, column) == touched(model, "0", row, column)


def test_boxes_through_branches_are_what_the_gradient_touches() -> None:
    model = positive(Branches())
    for layer in ("stem", "add", "relu", "down", "avg_pool2d", "cat", "mul"):
        for row, column in cells(model, layer):
            assert receptive.box(model, layer, row, column) == touched(model, layer, row, column), layer


@settings(max_examples=40, deadline=None)
@given(
    geometry=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)),
        min_size=1,
        max_size=3,
    ),
    where=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_boxes_through_chains_are_what_the_gradient_touches(
    geometry: list[tuple[int, int, int, int]], where: tuple[float, float]
) -> None:
    layers = [nn.Conv2d(3, 3, k, stride=s, padding=min(p, k - 1), dilation=d) for k, s, p, d in geometry]
    side = 10 + accumulated([(dilation * (kernel - 1) + 1, stride) for kernel, stride, _, dilation in geometry])
    model = straight(*layers, side=side)
    last = str(len(layers) - 1)
    rows, columns = grid(trace(model).shapes[trace(model).node(last)])
    row, column = round(where[0] * (rows - 1)), round(where[1] * (columns - 1))
    theirs = touched(model, last, row, column)
    ours = receptive.box(model, last, row, column)
    if all(step == 1 for *_, step in geometry):
        assert ours == theirs
    else:
        # A spread kernel leaves holes; where a border falls into one, our rectangle is a little larger.
        assert ours.top <= theirs.top and ours.left <= theirs.left
        assert ours.bottom >= theirs.bottom and ours.right >= theirs.right


def test_field_describes_every_cell_away_from_the_border() -> None:
    model = straight(nn.Conv2d(3, 3, 5, stride=2, padding=2), nn.Conv2d(3, 3, 3, padding=1), nn.AvgPool2d(2), side=64)
    for layer in ("0", "1", "2"):
        field = receptive.field(model, layer)
        for cell in (5, 6, 7):
            first = field.start[0] + cell * field.jump[0]
            expected = Box(first, first, first + field.size[0], first + field.size[0])
            assert receptive.box(model, layer, cell, cell) == expected == touched(model, layer, cell, cell)


def test_field_by_hand() -> None:
    model = straight(nn.Conv2d(3, 3, (3, 5), stride=2, padding=1), nn.MaxPool2d(2), nn.Conv2d(3, 3, 3, dilation=2))
    assert receptive.field(model, "0") == ReceptiveField((3, 5), (2, 2), (-1, -1))
    assert receptive.field(model, "1") == ReceptiveField((5, 7), (4, 4), (-1, -1))
    assert receptive.field(model, "2") == ReceptiveField((21, 23), (4, 4), (-1, -1))


def test_vgg16_as_published() -> None:
    model = models.load("vgg16", weights="random")
    sizes = {layer: receptive.field(model, layer).size[0] for layer in ("features.28", "features.30", "classifier.0")}
    # 404 = 212 + 6 * 32: the first linear layer is a window over the 7 x 7 map.
    assert sizes == {"features.28": 196, "features.30": 212, "classifier.0": 404}


def accumulated(windows: list[tuple[int, int]]) -> int:
    """Field of a chain of (kernel, stride): 1 + the sum of (kernel - 1) times the strides before it."""
    size, jump = 1, 1
    for kernel, stride in windows:
        size, jump = size + (kernel - 1) * jump, jump * stride
    return size


MOBILENET = [
    (3, 2),
    (3, 1),
    (3, 2),
    (3, 1),
    (3, 2),
    *[(3, 1)] * 2,
    (3, 2),
    *[(3, 1)] * 6,
    (3, 2),
    *[(3, 1)] * 3,
]
RESNET_STRIDES = (1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1)
ALEXNET = [(11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2)]


@pytest.mark.parametrize(
    ("model_id", "layer", "windows"),
    [
        ("alexnet", "features.12", ALEXNET),
        ("mobilenet_v2", "features.18", MOBILENET),
        ("resnet50", "layer4.2", [(7, 2), (3, 2), *((3, stride) for stride in RESNET_STRIDES)]),
    ],
)
def test_fields_of_networks_from_their_papers_tables(model_id: str, layer: str, windows: list[tuple[int, int]]) -> None:
    size = accumulated(windows)
    assert receptive.field(models.load(model_id, weights="random"), layer).size == (size, size)


@pytest.mark.parametrize("model_id", ["efficientnet_lite0", "squeezenet1_1", "googlenet", "densenet121"])
def test_boxes_of_registry_networks_hold_all_that_the_gradient_touches(model_id: str) -> None:
    model = models.load(model_id, weights="random")
    early = {
        "efficientnet_lite0": "blocks.4",
        "squeezenet1_1": "features.5",
        "googlenet": "inception3b",
        "densenet121": "features.denseblock1",
    }[model_id]
    for row, column in ((0, 0), (9, 13), (26, 26)):
        ours, theirs = receptive.box(model, early, row, column), touched(model, early, row, column)
        # Max pooling and ReLU let only some pixels through: the gradient's box may be smaller, not larger.
        assert ours.top <= theirs.top and ours.left <= theirs.left
        assert ours.bottom >= theirs.bottom and ours.right >= theirs.right


def test_an_unknown_operation_sees_everything() -> None:
    model = straight(nn.Upsample(scale_factor=2), nn.Conv2d(3, 2, 3))
    assert receptive.field(model, "1").size == (SIDE, SIDE)
    assert receptive.box(model, "1", 3, 4) == Box(0, 0, SIDE, SIDE)


def test_a_cell_in_the_padding_sees_nothing() -> None:
    model = straight(nn.ZeroPad2d(2))
    assert receptive.box(model, "0", 0, 0) == Box(0, 0, 0, 0) == touched(model, "0", 0, 0)


def test_a_larger_picture_moves_the_far_border() -> None:
    model = straight(nn.Conv2d(3, 2, 3, padding=1))
    assert receptive.box(model, "0", SIDE - 1, 0).bottom == SIDE
    assert receptive.box(model, "0", SIDE - 1, 0, size=40).bottom == SIDE + 1


@pytest.mark.parametrize(("layer", "row"), [("no such layer", 0), ("0", -1), ("0", SIDE - 2)])
def test_refusals(layer: str, row: int) -> None:
    model = straight(nn.Conv2d(3, 2, 3))
    with pytest.raises(SpecError):
        receptive.box(model, layer, row, 0)
