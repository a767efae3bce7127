"""Feature maps without a browser: every view, the address, and what the sentences say."""

import pytest

from convis_core import feature_maps, images, models
from convis_core.figures.scores import percent
from convis_core.network import receptive
from convis_core.results import Cell, ClassModelSpec
from pages._sections.feature_maps import excite, pickers


def opened(open_page, view, **query):
    return open_page(
        "feature_maps", {pickers.VIEW: view} | {f"feature_maps_{key}": value for key, value in query.items()}
    )


def sentence(app):
    return next(block.value for block in app.markdown if block.value.startswith("####"))


@pytest.fixture(scope="module")
def lite0():
    return models.load("efficientnet_lite0")


@pytest.fixture(scope="module")
def x(lite0):
    return images.to_tensor(images.sample("chelsea"), lite0.input_size)


@pytest.mark.parametrize("view", pickers.VIEWS)
def test_every_view_opens_from_its_link(open_page, view):
    app = opened(open_page, view)
    assert not app.exception and not app.error
    assert sentence(app)
    assert app.session_state[pickers.VIEW] == view


def test_an_unknown_view_or_layer_in_the_address_falls_back(open_page):
    app = opened(open_page, "Nothing", layer="nowhere")
    assert not app.exception
    assert app.session_state[pickers.VIEW] == pickers.LAYERS
    app = opened(open_page, pickers.SHEET, layer="nowhere")
    assert not app.exception
    assert app.selectbox(key="feature_maps_layer").value == "stem"


def test_the_address_names_channel_and_cell(open_page, lite0, x):
    app = opened(open_page, pickers.CHANNEL, layer="blocks.4", channel="7", row="5", column="9")
    assert not app.exception
    value = float(feature_maps.maps(lite0, x, "blocks.4").values[7, 5, 9])
    box = receptive.box(lite0, "blocks.4", 5, 9)
    share = (box.bottom - box.top) * (box.right - box.left) / 224**2
    assert f"says **{value:.3g}**" in sentence(app)
    assert f"**{percent(share)}** of the picture" in sentence(app)


def test_numbers_out_of_range_are_brought_into_it(open_page):
    app = opened(open_page, pickers.CHANNEL, layer="head", channel="4000", row="99", column="99")
    assert not app.exception
    assert app.number_input(key="feature_maps_channel").value == 1279
    assert app.number_input(key="feature_maps_row").value == 6
    app.selectbox(key="feature_maps_layer").set_value("blocks.0").run()
    assert not app.exception
    assert app.number_input(key="feature_maps_channel").value == 15


def test_another_channel_begins_at_its_largest_value(open_page, lite0, x):
    app = opened(open_page, pickers.CHANNEL, layer="blocks.4", channel="7", row="0", column="0")
    app.number_input(key="feature_maps_channel").set_value(8).run()
    expected = feature_maps.peak_cell(feature_maps.maps(lite0, x, "blocks.4").values[8])
    cell = tuple(app.number_input(key=f"feature_maps_{name}").value for name in ("row", "column"))
    assert cell == expected
    app.number_input(key="feature_maps_row").set_value(3).run()
    assert app.number_input(key="feature_maps_row").value == 3


def test_the_sum_of_products_is_written_out_on_the_first_layer(open_page, lite0, x):
    app = opened(open_page, pickers.CHANNEL, layer="stem", channel="2", row="40", column="40")
    found = feature_maps.sum_of_products(lite0, x, "stem", Cell(2, 40, 40))
    assert f"= {found.total:.3f}" in app.latex[0].value
    assert any(f"**stem.relu** makes it {found.then[-1][1]:.3f}" in block.value for block in app.markdown)


def test_layers_that_are_no_sum_say_so(open_page):
    app = opened(open_page, pickers.CHANNEL, layer="blocks.2")
    assert any("are not the sum of one convolution" in block.value for block in app.markdown)


def test_a_sheet_beyond_the_last_is_the_last(open_page):
    app = opened(open_page, pickers.SHEET, layer="head", page="9")
    assert not app.exception and not app.error
    assert app.number_input(key="feature_maps_page").value == 3
    assert any("Sheet 3 of 3." in block.value for block in app.caption)


def test_maps_too_small_to_be_pooled_are_refused_in_words(open_page):
    app = opened(open_page, pickers.POOLING, layer="pool")
    assert not app.exception
    assert "does not fit into maps of 1 x 1" in app.error[0].value


def test_turning_channels_off_says_what_the_network_says_then(open_page, lite0, x):
    app = opened(open_page, pickers.ABLATION, layer="head")
    maps = feature_maps.maps(lite0, x, "head")
    pull = feature_maps.contributions(lite0, x, "head", 282)
    best = feature_maps.order(maps, "contribution", contributions=pull)[:8]
    after = feature_maps.ablate(lite0, x, "head", best).after
    assert f"to **{percent(float(after.probabilities[282]))}**" in sentence(app)
    assert f"the network says **{after.top[0].name}**" in sentence(app).replace("The network still", "the network")
    app.slider(key="feature_maps_many").set_value(64).run()
    assert "64 channels of 1280 at zero" in sentence(app)


def test_every_operation_can_be_entered(open_page):
    app = opened(open_page, pickers.LAYERS, every="true")
    assert not app.exception
    caption = next(block.value for block in app.caption if "the output of" in block.value)
    assert "the output of 14" in caption
    app = opened(open_page, pickers.SHEET, layer="blocks.3.branch.expand.norm")
    assert not app.exception
    assert "blocks.3.branch.expand.norm" in sentence(app)


@pytest.mark.parametrize(
    ("convolution", "words"),
    [
        ("stem.conv", "32 filters of 3 × 3 × 3"),
        ("blocks.2.branch.depthwise.conv", "144 filters of 1 × 3 × 3"),
        ("blocks.2.branch.expand.conv", "144 filters of 24 × 1 × 1"),
    ],
)
def test_filters_of_every_kind_are_shown(open_page, convolution, words):
    app = opened(open_page, pickers.FILTERS, convolution=convolution)
    assert not app.exception
    assert words in sentence(app)


def test_a_network_without_max_pooling_says_so(open_page):
    app = opened(open_page, pickers.POOLING)
    assert any("has no max pooling" in block.value for block in app.markdown)
    assert "**25.0 %** of them" in sentence(app)


def test_what_excites_a_channel_is_drawn_on_demand(open_page, monkeypatch):
    monkeypatch.setattr(excite, "SPEC", ClassModelSpec(steps=8))
    app = opened(open_page, pickers.CHANNEL, layer="blocks.1", channel="3")
    assert not any("Mean activation" in block.value for block in app.caption)
    app.toggle(key="feature_maps_draw").set_value(True).run()
    assert not app.exception and not app.error
    assert any("Mean activation" in block.value for block in app.caption)
