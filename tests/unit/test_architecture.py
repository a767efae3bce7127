"""The table of layers, the blocks, the formulas and the timing."""

import pickle
import re
from collections.abc import Callable
from math import ceil, floor

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from convis_core import architecture, models, network
from convis_core.errors import SpecError
from convis_core.figures import formulas
from convis_core.models import LoadedModel
from convis_core.results.architecture import LayerRow, Padding

IDS = [spec.id for spec in models.MODELS]


@pytest.fixture(scope="module")
def load() -> Callable[[str], LoadedModel]:
    loaded: dict[str, LoadedModel] = {}

    def once(model_id: str) -> LoadedModel:
        if model_id not in loaded:
            loaded[model_id] = models.load(model_id, weights="random")
        return loaded[model_id]

    return once


class Small(nn.Module):
    """Asymmetric padding, groups, dilation, a residual block, a concatenation, and a layer that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 1, 0, 1))
        self.conv = nn.Conv2d(3, 4, 3, stride=2)
        self.twice = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
        self.wide = nn.Conv2d(4, 6, (1, 3), padding=(0, 2), dilation=2)
        self.norm = nn.BatchNorm2d(10)
        self.drop = nn.Dropout()
        self.fc = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(self.pad(x)))
        x = self.twice(self.twice(x)) + x
        x = self.norm(torch.cat([x, self.wide(x)], dim=1))
        x = nn.functional.avg_pool2d(x, 5)
        return self.fc(self.drop(torch.flatten(x, 1)))


@pytest.fixture(scope="module")
def small() -> LoadedModel:
    return models.wrap(Small(), input_size=10)


def by_name(model: LoadedModel) -> dict[str, LayerRow]:
    return {row.name: row for row in architecture.describe(model)}


def test_rows_equal_those_worked_out_by_hand(small: LoadedModel) -> None:
    rows = by_name(small)
    assert rows["pad"].padding == Padding(top=0, bottom=1, left=0, right=1)
    conv = rows["conv"]
    assert (conv.input_shape, conv.output_shape) == ((1, 3, 11, 11), (1, 4, 5, 5))
    assert (conv.weights, conv.biases, conv.parameters) == (108, 4, 112)
    assert conv.macs == 108 * 25
    assert conv.activation_bytes == 4 * 5 * 5 * 4
    assert (conv.kernel, conv.stride, conv.receptive_field, conv.jump) == ((3, 3), (2, 2), 3, 2)
    assert rows["twice"].kind == "grouped convolution"
    assert rows["twice"].weights == 4 * 2 * 9
    assert rows["wide"].dilation == (2, 2)
    assert rows["cat"].inputs == ("add", "wide")
    assert rows["cat"].input_shapes == ((1, 4, 5, 5), (1, 6, 5, 5))
    assert rows["relu"].kind == "relu" and rows["relu"].kernel is None
    assert rows["fc"].macs == 50


def test_a_layer_that_runs_twice_counts_its_parameters_once_and_its_work_twice(small: LoadedModel) -> None:
    rows = by_name(small)
    assert rows["twice_1"].parameters == 0
    assert rows["twice_1"].macs == rows["twice"].macs == 72 * 25
    total = architecture.totals(architecture.describe(small))
    assert total.parameters == sum(parameter.numel() for parameter in small.module.parameters())


def test_a_block_is_a_layer_with_what_completes_it(small: LoadedModel) -> None:
    blocks = {block.name: block for block in architecture.blocks(architecture.describe(small))}
    assert blocks["conv"].layers == ("pad", "conv", "relu")
    assert blocks["cat"].layers == ("cat", "norm")
    assert blocks["cat"].inputs == ("add", "wide")
    assert blocks["cat"].parts == (4, 6)
    assert blocks["avg_pool2d"].layers == ("avg_pool2d", "flatten", "drop")
    assert blocks["avg_pool2d"].map_shape == (1, 10, 1, 1)


@pytest.mark.parametrize("model_id", IDS)
def test_rows_are_the_operations_and_add_up_to_the_network(model_id: str, load: Callable[[str], LoadedModel]) -> None:
    model = load(model_id)
    rows = architecture.describe(model)
    assert tuple(row.name for row in rows) == network.layer_names(model)
    total = architecture.totals(rows)
    assert total.parameters == total.weights + total.biases == model.spec.parameters
    known: set[str] = set()
    for row in rows:
        assert set(row.inputs) <= known
        known.add(row.name)
    assert pickle.loads(pickle.dumps(rows)) == rows


@pytest.mark.parametrize("model_id", IDS)
def test_blocks_hold_every_row_once(model_id: str, load: Callable[[str], LoadedModel]) -> None:
    rows = architecture.describe(load(model_id))
    blocks = architecture.blocks(rows)
    assert [layer for block in blocks for layer in block.layers] == [row.name for row in rows]
    assert sum(block.parameters for block in blocks) == architecture.totals(rows).parameters
    assert sum(block.macs for block in blocks) == architecture.totals(rows).macs
    names = [block.name for block in blocks]
    assert len(set(names)) == len(names) <= 25
    for position, block in enumerate(blocks):
        assert set(block.inputs) <= set(names[:position])
        parts = architecture.inside(rows, block.name)
        assert [layer for part in parts for layer in part.layers] == list(block.layers)


@pytest.mark.parametrize(
    ("model_id", "depth"),
    # The number in the name, or in the paper, counts exactly this.
    [
        ("vgg16", 16),
        ("resnet18", 18),
        ("resnet50", 50),
        ("densenet121", 121),
        ("googlenet", 22),
        ("alexnet", 8),
    ],
)
def test_depth_is_the_number_in_the_name(model_id: str, depth: int, load: Callable[[str], LoadedModel]) -> None:
    assert architecture.totals(architecture.describe(load(model_id))).depth == depth


def test_vgg16_as_published(load: Callable[[str], LoadedModel]) -> None:
    rows = architecture.describe(load("vgg16"))
    total = architecture.totals(rows)
    assert total.parameters == 138_357_544
    assert round(total.macs / 1e9, 2) == 15.47
    assert total.receptive_field == 212
    fields = {row.name: row.receptive_field for row in rows}
    assert (fields["features.28"], fields["features.30"]) == (196, 212)


def test_kinds_of_blocks(load: Callable[[str], LoadedModel]) -> None:
    def kinds(model_id: str) -> dict[str, tuple[str, tuple[int, ...]]]:
        blocks = architecture.blocks(architecture.describe(load(model_id)))
        return {block.name: (block.kind, block.parts) for block in blocks}

    assert kinds("resnet18")["layer2.0"] == ("residual", ())
    assert kinds("googlenet")["inception4a"] == ("concat", (192, 208, 48, 64))
    assert kinds("densenet121")["features.denseblock1"] == ("dense", (64, 32, 32, 32, 32, 32, 32))
    assert kinds("vgg16")["features.0"] == ("convolution", ())
    assert kinds("vgg16")["features.4"] == ("max pool", ())


def test_costs_of_vgg16(load: Callable[[str], LoadedModel]) -> None:
    costs = architecture.costs(architecture.blocks(architecture.describe(load("vgg16"))))
    # fc6 holds 25088 * 4096 + 4096 of 138,357,544 parameters and does 102,760,448 of 15,470,264,320 multiply-adds.
    assert costs.heaviest == "classifier.0"
    assert costs.heaviest_parameters == pytest.approx(0.74275, abs=1e-5)
    assert costs.heaviest_macs == pytest.approx(0.00664, abs=1e-5)
    assert costs.half == "features.14"
    assert costs.half_parameters == pytest.approx(1_735_488 / 138_357_544)


@pytest.mark.parametrize("model_id", IDS)
def test_a_blueprint_is_the_network_without_its_weights(model_id: str, load: Callable[[str], LoadedModel]) -> None:
    blueprint = architecture.blueprint(model_id)
    assert architecture.describe(blueprint) == architecture.describe(load(model_id))
    assert all(parameter.device.type == "meta" for parameter in blueprint.module.parameters())


def evaluated(latex: str) -> int:
    """The value of a formula, computed from its LaTeX."""
    text = latex.replace(r"{\,}", "").replace(r"\cdot", "*")
    text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1)/(\2))", text)
    text = text.replace(r"\left\lfloor", "floor(").replace(r"\right\rfloor", ")")
    text = text.replace(r"\left\lceil", "ceil(").replace(r"\right\rceil", ")")
    return int(eval(text, {"__builtins__": {}, "floor": floor, "ceil": ceil}))  # noqa: S307 - our own text


@pytest.mark.parametrize("model_id", IDS)
def test_formulas_give_the_values_that_they_show(model_id: str, load: Callable[[str], LoadedModel]) -> None:
    rows = architecture.describe(load(model_id))
    for row in rows:
        for substitution in architecture.substitutions(row):
            written, value = formulas.numbers(substitution).rsplit(" = ", 1)
            assert evaluated(written) == evaluated(value) == substitution.value
        by_quantity = {s.quantity: s.value for s in architecture.substitutions(row)}
        learned = [by_quantity.get(name, 0) for name in ("weights", "linear weights", "biases", "batch norm")]
        assert sum(learned) == row.parameters
        assert by_quantity.get("macs", by_quantity.get("linear macs", 0)) == row.macs


def test_formulas_of_odd_windows(small: LoadedModel) -> None:
    for row in architecture.describe(small):
        for substitution in architecture.substitutions(row):
            written, _ = formulas.numbers(substitution).rsplit(" = ", 1)
            assert evaluated(written) == substitution.value
    wide = architecture.substitutions(by_name(small)["wide"])[1]
    assert formulas.symbols(wide) == r"\left\lfloor \frac{W - d \cdot (F - 1) - 1 + 2 \cdot P}{S} \right\rfloor + 1"
    ceiling = models.wrap(
        nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.Flatten(), nn.Linear(3 * 4 * 4, 2)), input_size=8
    )
    assert architecture.substitutions(by_name(ceiling)["0"])[0].quantity == "height by ceil"


def test_networks_are_compared_in_turns(small: LoadedModel) -> None:
    seen: list[str] = []

    def noting(name: str) -> LoadedModel:
        class Noting(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                seen.append(name)
                return x.flatten(1)[:, :2]

        return models.wrap(Noting(), input_size=8)

    model, other = noting("a"), noting("b")
    seen.clear()
    races = list(architecture.compare(model, other, Image.new("RGB", (20, 30)), runs=3))
    assert "".join(seen) == "ab" * 5, "two turns warm up, three are measured"
    assert [(race.done, race.total) for race in races] == [(1, 3), (2, 3), (3, 3)]
    for timing in (races[-1].first, races[-1].second):
        assert timing.runs == 3
        assert 0 < timing.fastest <= timing.median <= timing.slowest
    with pytest.raises(SpecError):
        architecture.compare(small, small, Image.new("RGB", (9, 9)), runs=0)


def test_describing_leaves_no_trace(small: LoadedModel) -> None:
    before = {name: value.clone() for name, value in small.module.state_dict().items()}
    architecture.describe(small)
    list(architecture.compare(small, small, Image.new("RGB", (9, 9)), runs=1))
    assert torch.is_grad_enabled() and not small.module.training
    for name, value in small.module.state_dict().items():
        assert torch.equal(value, before[name]) and value.device.type == "cpu"
