"""Deletion and insertion, random weights, another class: closed forms, twins, no trace."""

import dataclasses
import pickle

import pytest
import torch
from torch import Tensor, nn

from convis_core import models
from convis_core.attribution import guided_backprop, input_x_gradient, saliency, sanity, smoothgrad
from convis_core.attribution.sanity.weight_randomisation import weight_groups
from convis_core.errors import SpecError
from convis_core.models import LoadedModel
from convis_core.network import baselines, predict
from convis_core.results import Attribution, DeletionInsertionSpec, RandomisationSpec, SmoothGradSpec

SIDE = 12


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3, padding=1),
        nn.BatchNorm2d(5),
        nn.ReLU(),
        nn.Conv2d(5, 6, 3, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * (SIDE - 2) ** 2, 4),
    )
    net[1].running_mean.uniform_(-0.3, 0.3)
    net[1].running_var.uniform_(0.5, 2)
    return models.wrap(net, input_size=SIDE, mean=(0.4, 0.5, 0.6))


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def last(frames):
    *_, final = frames
    return final


def probability(model: LoadedModel, picture: Tensor, target: int) -> float:
    return float(predict(model, picture).probabilities[target])


# ----------------------------------------------------------------------------------------------------------------------
# Deletion and insertion


@pytest.mark.parametrize("cell", [1, 5])
def test_curves_are_what_deleting_and_inserting_by_hand_gives(model, x, cell):
    attribution = saliency(model, x, 2)
    spec = DeletionInsertionSpec(steps=6, cell=cell, deleted="black", start="grey", random_orders=0)
    found = last(sanity.deletion_insertion(model, x, attribution, spec))
    magnitude = attribution.magnitude()
    cells = [(top, left) for top in range(0, SIDE, cell) for left in range(0, SIDE, cell)]
    means = [float(magnitude[top : top + cell, left : left + cell].mean()) for top, left in cells]
    order = sorted(range(len(cells)), key=lambda index: -means[index])
    for step in range(7):
        deleted, inserted = x.clone(), torch.full_like(x, 0.5)
        for index in order[: round(step * len(cells) / 6)]:
            top, left = cells[index]
            deleted[:, :, top : top + cell, left : left + cell] = 0
            inserted[:, :, top : top + cell, left : left + cell] = x[:, :, top : top + cell, left : left + cell]
        assert float(found.deletion[step]) == pytest.approx(probability(model, deleted, 2), abs=1e-5)
        assert float(found.insertion[step]) == pytest.approx(probability(model, inserted, 2), abs=1e-5)
    assert found.random_deletion.shape == (0, 7)


def test_curves_begin_and_end_where_they_must_and_areas_are_trapezoids(model, x):
    frames = list(sanity.deletion_insertion(model, x, saliency(model, x, 1), DeletionInsertionSpec(steps=8)))
    found = frames[-1]
    ends = {kind: probability(model, baselines.baseline(model, x, kind), 1) for kind in ("mean", "blurred")}
    whole = probability(model, x, 1)
    for curve in (found.deletion, *found.random_deletion):
        assert curve[[0, -1]].tolist() == pytest.approx([whole, ends["mean"]], abs=1e-5)
    for curve in (found.insertion, *found.random_insertion):
        assert curve[[0, -1]].tolist() == pytest.approx([ends["blurred"], whole], abs=1e-5)
    assert found.fractions[[0, -1]].tolist() == [0, 1]
    by_hand = sum(float(found.deletion[k] + found.deletion[k + 1]) / 2 / 8 for k in range(8))
    assert found.deletion_auc() == pytest.approx(by_hand, abs=1e-6)
    areas = [torch.trapezoid(curve.double(), found.fractions.double()) for curve in found.random_insertion]
    assert found.random_insertion_auc() == pytest.approx(float(torch.stack(areas).mean()), abs=1e-6)
    assert [frame.done for frame in frames] == sorted(frame.done for frame in frames)
    assert found.done == found.total == 2 * 9 * 4
    assert bool(frames[0].insertion.isnan().all()) and torch.isnan(torch.tensor(frames[0].deletion_auc()))


def test_the_right_order_beats_the_wrong_one(model, x):
    spec = DeletionInsertionSpec(steps=12, random_orders=0, deleted="black", start="black")
    black = torch.zeros_like(x)
    # What each pixel alone does to the probability when it is put into a black picture.
    gains = torch.zeros(SIDE, SIDE)
    for row in range(SIDE):
        for column in range(SIDE):
            one = black.clone()
            one[:, :, row, column] = x[:, :, row, column]
            gains[row, column] = probability(model, one, 2) - probability(model, black, 2)
    gains = gains - gains.min()
    right = Attribution(gains[None], 2, "oracle")
    wrong = Attribution((gains.max() - gains)[None], 2, "its reverse")
    good, bad = (last(sanity.deletion_insertion(model, x, order, spec)) for order in (right, wrong))
    assert good.insertion_auc() > bad.insertion_auc() and good.deletion_auc() < bad.deletion_auc()


def test_random_orders_depend_on_the_seed_and_not_on_the_attribution(model, x):
    spec = DeletionInsertionSpec(steps=5, random_orders=2)
    maps = saliency(model, x, 1), input_x_gradient(model, x, 1)
    one, two = (last(sanity.deletion_insertion(model, x, each, spec)) for each in maps)
    assert torch.equal(one.random_deletion, two.random_deletion) and not torch.equal(one.deletion, two.deletion)
    other = last(sanity.deletion_insertion(model, x, maps[0], dataclasses.replace(spec, seed=1)))
    assert not torch.equal(one.random_deletion, other.random_deletion)
    assert not torch.equal(one.random_deletion[0], one.random_deletion[1])


def test_smoothgrad_beats_random_on_chelsea(lite0, chelsea):
    frame = last(smoothgrad(lite0, chelsea, 282, SmoothGradSpec(n_samples=24)))
    found = last(sanity.deletion_insertion(lite0, chelsea, frame, DeletionInsertionSpec(steps=14, random_orders=2)))
    assert found.deletion_auc() < found.random_deletion_auc()
    assert found.insertion_auc() > found.random_insertion_auc()


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        ({"cell": 0}, "cell"),
        ({"cell": SIDE + 1}, "cell"),
        ({"steps": 0}, "steps"),
        ({"steps": 5, "cell": 6}, "from 1 to 4, not 5"),
        ({"random_orders": -1}, "random orders"),
        ({"deleted": "pink"}, "The baseline"),
    ],
)
def test_impossible_curves_are_refused_at_the_call(model, x, choices, says):
    with pytest.raises(SpecError, match=says):
        sanity.deletion_insertion(model, x, saliency(model, x, 1), DeletionInsertionSpec(**choices))


def test_an_attribution_of_another_size_or_without_numbers_is_refused(model, x):
    for values in (torch.zeros(3, SIDE, SIDE + 1), torch.full((3, SIDE, SIDE), torch.nan)):
        with pytest.raises(SpecError, match="finite and as large"):
            sanity.deletion_insertion(model, x, Attribution(values, 1, "saliency"), DeletionInsertionSpec())


# ----------------------------------------------------------------------------------------------------------------------
# Random weights


def contents(model: LoadedModel) -> dict[str, tuple[int, int, Tensor]]:
    return {name: (t._version, t.data_ptr(), t.clone()) for name, t in model.module.state_dict().items()}


def unchanged(model: LoadedModel, before: dict[str, tuple[int, int, Tensor]]) -> bool:
    after = model.module.state_dict()
    return all(
        after[name]._version == version and after[name].data_ptr() == place and torch.equal(after[name], value)
        for name, (version, place, value) in before.items()
    )


def test_weights_are_lost_from_the_top_and_the_model_keeps_its_own(model, x):
    before = contents(model)
    seen: list[LoadedModel] = []

    def watching(network: LoadedModel, picture: Tensor, target: int) -> Attribution:
        seen.append(network)
        return saliency(network, picture, target)

    frames = list(sanity.weight_randomisation(model, x, 1, watching, RandomisationSpec()))
    assert frames[-1].layers == ("6", "3", "1", "0") and [frame.done for frame in frames] == [0, 1, 2, 3, 4]
    for depth, network in enumerate(seen):
        lost = frames[-1].layers[:depth]
        for name, tensor in network.module.state_dict().items():
            layer = name.split(".")[0]
            kept = tensor.data_ptr() == model.module.state_dict()[name].data_ptr()
            assert kept == (layer not in lost) or not name[0].isdigit() or "num_batches" in name, (depth, name)
    assert len({network.key for network in seen}) == len(seen), "a network that has lost its weights is another one"
    assert unchanged(model, before)
    final = frames[-1]
    assert final.rank_correlation[0] == final.structural_similarity[0] == 1 and len(final.magnitudes) == 5
    assert torch.equal(final.magnitudes[0], saliency(model, x, 1).magnitude())
    assert all(-1 <= value < 0.999 for value in final.rank_correlation[1:])


def test_one_layer_at_a_time_leaves_the_others_trained(model, x):
    def first_weight(network: LoadedModel, picture: Tensor, target: int) -> Attribution:
        top = network.module.get_submodule("6").weight
        same = top.data_ptr() == model.module.get_submodule("6").weight.data_ptr()
        return Attribution(torch.full((3, SIDE, SIDE), float(same)), target, "probe")

    alone = last(sanity.weight_randomisation(model, x, 1, first_weight, RandomisationSpec(independent=True)))
    assert [float(values.max()) for values in alone.magnitudes] == [1, 0, 1, 1, 1]
    together = last(sanity.weight_randomisation(model, x, 1, first_weight, RandomisationSpec()))
    assert [float(values.max()) for values in together.magnitudes] == [1, 0, 0, 0, 0]


def test_random_weights_have_the_spread_of_the_trained_ones_and_follow_the_seed(lite0):
    from convis_core.attribution.sanity.weight_randomisation import _with_random_weights

    def drawn(seed: int) -> nn.Module:
        return _with_random_weights(lite0, ("classifier",), torch.Generator().manual_seed(seed)).module.classifier

    known = lite0.module.classifier
    assert float(drawn(0).weight.std()) == pytest.approx(float(known.weight.std()), rel=0.01)
    assert torch.equal(drawn(3).weight, drawn(3).weight) and not torch.equal(drawn(3).weight, drawn(4).weight)
    assert not drawn(0).weight.requires_grad


def test_closing_early_and_a_failing_method_leave_the_model_alone(model, x):
    before = contents(model)
    frames = sanity.weight_randomisation(model, x, 1, saliency, RandomisationSpec())
    next(frames)
    next(frames)
    frames.close()

    def failing(network: LoadedModel, picture: Tensor, target: int) -> Attribution:
        if network is not model:
            raise RuntimeError("no more memory")
        return saliency(network, picture, target)

    with pytest.raises(RuntimeError, match="no more memory"):
        list(sanity.weight_randomisation(model, x, 1, failing, RandomisationSpec()))
    assert unchanged(model, before) and torch.is_grad_enabled()


@pytest.mark.parametrize("model_id", ["efficientnet_lite0", "vgg16", "resnet18", "googlenet", "densenet121"])
def test_every_weight_belongs_to_one_group_in_order_of_execution(model_id):
    loaded = models.load(model_id, weights="random")
    groups = weight_groups(loaded)
    grouped = [name for names in groups.values() for name in names]
    having = {name.rpartition(".")[0] for name, _ in loaded.module.named_parameters()}
    assert set(grouped) == having and len(grouped) == len(set(grouped))
    assert next(reversed(groups)) in ("classifier", "classifier.6", "fc")
    assert 10 <= len(groups) <= 30, "as many steps as a page can show"


# ----------------------------------------------------------------------------------------------------------------------
# Another class


def test_a_swap_of_a_linear_network_compares_its_weights():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 3))
    with torch.no_grad():
        net[1].weight[1] = -2 * net[1].weight[0]
    linear = models.wrap(net, input_size=SIDE)
    frames = list(sanity.class_swap(linear, torch.rand(1, 3, SIDE, SIDE), (0, 1, 2), saliency))
    found = frames[-1]
    assert float(found.correlation[0, 1]) == pytest.approx(-1, abs=1e-5)
    assert float(found.rank_correlation[0, 1]) == pytest.approx(1, abs=1e-5)
    assert abs(float(found.correlation[0, 2])) < 0.3 and found.correlation.diagonal().tolist() == pytest.approx([1] * 3)
    assert torch.equal(found.correlation, found.correlation.T)
    assert [frame.done for frame in frames] == [1, 2, 3] and bool(frames[0].correlation[1].isnan().all())
    assert pickle.loads(pickle.dumps(found)).targets == (0, 1, 2)


@pytest.mark.parametrize(("targets", "says"), [((1,), "two different"), ((1, 1), "two different"), ((1, 9), "exist")])
def test_an_impossible_swap_is_refused_at_the_call(model, x, targets, says):
    with pytest.raises(SpecError, match=says):
        sanity.class_swap(model, x, targets, saliency)


def test_guided_backprop_does_not_ask_what_the_network_knows_and_saliency_does(lite0, chelsea):
    """The finding of Adebayo et al., on the network at hand: half of its blocks may forget everything."""

    def after(method, layers: int) -> float:
        frames = sanity.weight_randomisation(lite0, chelsea, 281, method, RandomisationSpec())
        for frame in frames:
            if frame.done == layers:
                frames.close()
                return frame.rank_correlation[-1]
        raise AssertionError("too few layers")

    assert after(guided_backprop, 8) > 0.8 > 0.6 > after(saliency, 8)
