"""Shapes, parameters and multiply-adds of every network of the registry, against torchinfo."""

from collections import Counter
from math import prod

import pytest
import torchinfo

from convis_core import architecture, models


@pytest.mark.parametrize("model_id", [spec.id for spec in models.MODELS])
def test_every_layer_agrees_with_torchinfo(model_id: str) -> None:
    model = models.load(model_id, weights="random")
    rows = {row.name: row for row in architecture.describe(model)}
    size = (1, 3, model.input_size, model.input_size)
    summary = torchinfo.summary(model.module, input_size=size, verbose=0, device="cpu")
    names = {id(module): name for name, module in model.module.named_modules()}
    runs: Counter[str] = Counter()
    for theirs in summary.summary_list:
        if not theirs.is_leaf_layer:
            continue
        name = names[id(theirs.module)]
        runs[name] += 1
        # A layer that runs again has a number behind its name, as torchvision's feature extraction gives it.
        ours = rows[name if runs[name] == 1 else f"{name}_{runs[name] - 1}"]
        assert list(ours.input_shape) == theirs.input_size, ours.name
        assert list(ours.output_shape) == theirs.output_size, ours.name
        assert ours.parameters == theirs.num_params, ours.name
        # Torchinfo also counts biases as if they multiplied, and a batch norm's parameters once a picture.
        positions = prod(ours.output_shape[2:]) if "convolution" in ours.kind else 1
        extra = ours.parameters if ours.kind == "batch norm" else ours.biases * positions
        assert ours.macs + extra == theirs.macs, ours.name
    assert {row.name for row in rows.values() if row.parameters} <= set(runs)
    assert sum(row.parameters for row in rows.values()) == summary.total_params
