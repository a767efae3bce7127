"""What the embedded network says of real pictures."""

import pytest
import torch

from convis_core import images, network
from convis_core.errors import SpecError


def test_chelsea_is_a_cat_of_two_minds(lite0, chelsea):
    first, second, *rest = network.predict(lite0, chelsea).top
    assert (first.name, second.name, len(rest)) == ("tiger cat", "Egyptian cat", 3)
    assert first.probability == pytest.approx(0.38, abs=0.01) and second.probability == pytest.approx(0.38, abs=0.01)


def test_coffee_is_an_espresso(lite0):
    x = images.to_tensor(images.sample("coffee"), lite0.input_size)
    prediction = network.predict(lite0, x)
    assert prediction.top[0].name == "espresso" and prediction.top[0].probability == pytest.approx(0.957, abs=0.005)
    assert float(prediction.probabilities.sum()) == pytest.approx(1, abs=1e-5)
    assert torch.equal(prediction.probabilities, prediction.logits.softmax(0))


@pytest.mark.parametrize("shape", [(3, 224, 224), (2, 3, 224, 224), (1, 1, 224, 224), (1, 3, 200, 224)])
def test_other_shapes_are_refused(lite0, shape: tuple[int, ...]):
    with pytest.raises(SpecError, match="one picture"):
        network.predict(lite0, torch.rand(shape))


def test_top_must_be_positive_and_may_exceed_the_classes(lite0, chelsea):
    with pytest.raises(SpecError):
        network.predict(lite0, chelsea, top=0)
    assert len(network.predict(lite0, chelsea, top=5000).top) == 1000
