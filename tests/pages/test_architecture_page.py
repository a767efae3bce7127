"""The architecture page: every view, on the embedded network."""

import csv
import io
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from convis_core import architecture, models
from convis_core.models import weights
from pages._shell import cache

VIEWS = ("Drawing", "All layers", "Where the cost is", "Compare two")


def sentences(app: AppTest) -> str:
    return " ".join(block.value for block in app.markdown if block.value.startswith("####"))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens_from_its_link(open_page, view):
    app = open_page("architecture", {"architecture_view": view})
    assert not app.exception and not app.error
    assert app.get("button_group")[0].value in (view, [view])
    assert sentences(app)


def test_a_block_is_picked_and_its_numbers_are_put_in(open_page):
    app = open_page("architecture")
    app.selectbox(key="architecture_block").set_value("stem").run()
    assert "**stem** (convolution) makes 3 × 224 × 224 → 32 × 112 × 112" in sentences(app)
    formulas = " ".join(block.value for block in app.markdown if "$" in block.value)
    assert r"3 \cdot 3 \cdot 3 \cdot 32 = 864" in formulas
    assert r"10{\,}838{\,}016" in formulas


def test_a_residual_block_shows_its_branches_and_its_layers(open_page):
    app = open_page("architecture", {"architecture_block": "blocks.2"})
    layer = app.selectbox(key="architecture_layer_blocks.2")
    assert "blocks.2.branch.depthwise.conv" in layer.options
    layer.set_value("blocks.2.branch.depthwise.conv").run()
    assert any(r"\frac{144}{144}" in block.value for block in app.markdown)
    figures = app.get("plotly_chart")
    assert len(figures) == 2, "the network, and the inside of the block"


def test_a_list_of_numbers_has_no_picture(open_page):
    app = open_page("architecture", {"architecture_block": "classifier"})
    assert any("no longer a map" in block.value for block in app.markdown)


def test_the_table_adds_up_and_can_be_taken_home(open_page):
    app = open_page("architecture", {"architecture_view": "All layers"})
    rows = architecture.describe(architecture.blueprint("efficientnet_lite0"))
    table = app.dataframe[0].value
    assert len(table) == len(rows)
    assert int(table["multiply-adds"].sum()) == architecture.totals(rows).macs
    assert "**4,652,008 parameters**, exactly what the model holds" in sentences(app)


def test_the_table_is_sorted_without_a_pointer(open_page):
    app = open_page("architecture", {"architecture_view": "All layers"})
    order = app.dataframe[0].value["layer"].tolist()
    app.selectbox(key="architecture_order").set_value("multiply-adds").run()
    table = app.dataframe[0].value
    assert table["multiply-adds"].is_monotonic_decreasing and sorted(table["layer"]) == sorted(order)
    assert table["layer"].tolist() != order


def test_the_costs_name_the_heaviest_block(open_page):
    app = open_page("architecture", {"architecture_view": "Where the cost is"})
    assert "**classifier** alone holds 27.5 %" in sentences(app)


def test_another_network_is_compared_without_its_weights(open_page):
    app = open_page("architecture", {"architecture_view": "Compare two", "architecture_other": "VGG16"})
    assert "**VGG16** has 29.7 times the parameters" in sentences(app)
    assert "not on this machine" in app.info[0].value


def test_the_time_is_measured_when_the_weights_are_here(open_page, monkeypatch):
    other = models.load("squeezenet1_1", weights="random")
    real, find = cache.model, weights.find
    monkeypatch.setattr(weights, "find", lambda source: find(source) or Path(source.file_name))
    monkeypatch.setattr(cache, "model", lambda model_id: other if model_id == "squeezenet1_1" else real(model_id))
    app = open_page("architecture", {"architecture_view": "Compare two", "architecture_other": "SqueezeNet 1.1"})
    assert "takes" not in sentences(app)
    app.button(key="architecture_measure").click().run()
    assert not app.exception
    assert "**EfficientNet-Lite0** takes" in sentences(app) and " ms" in sentences(app)


def test_what_the_page_says_of_the_network_is_computed(open_page):
    app = open_page("architecture")
    deeper = next(block.value for block in app.markdown if "What is counted." in block.value)
    assert "4,652,008 parameters, 22,008 of them" in deeper and "{{" not in deeper


def test_the_csv_holds_every_layer():
    rows = architecture.describe(architecture.blueprint("efficientnet_lite0"))
    from convis_core import export
    from pages._sections.architecture.table import _cells

    cells = [_cells(row) for row in rows]
    recipe = export.Recipe("efficientnet_lite0", "chelsea", "architecture.describe")
    text = export.csv(list(cells[0]), (list(cell.values()) for cell in cells), recipe).decode()
    lines = list(csv.reader(io.StringIO(text.split("\n", 1)[1])))
    assert len(lines) == len(rows) + 1
    assert lines[1][0] == "normalise"
