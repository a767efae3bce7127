"""The occlusion page without a browser: what it computes, says, asks first, and offers to take away."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from convis_core import network, occlusion
from convis_core.figures.scores import percent
from convis_core.occlusion import readings as views
from convis_core.results import OcclusionMap, OcclusionSpec
from pages._sections.occlusion import controls
from pages._shell import confirm

# Coarse, so that a test takes a moment: 16 windows.
COARSE = {"occlusion_window": "64", "occlusion_stride": "56"}
SPEC = OcclusionSpec(window=64, stride=56)


@pytest.fixture(scope="module")
def coarse_map(lite0, chelsea) -> OcclusionMap:
    *_, last = occlusion.occlusion(lite0, chelsea, network.predict(lite0, chelsea).top[0].index, SPEC)
    return last


def sentence(app: AppTest) -> str:
    return next(block.value for block in app.markdown if block.value.startswith("####") and "patch" in block.value)


def captions(app: AppTest) -> str:
    return "\n".join(block.value for block in app.caption)


def test_the_sentence_names_the_strongest_window_and_what_it_costs(open_page, coarse_map):
    app = open_page("occlusion", COARSE)
    assert not app.exception and not app.error
    row, column = views.strongest(coarse_map)
    top, left = int(coarse_map.tops[row]), int(coarse_map.lefts[column])
    said = sentence(app)
    assert f"rows {top} to {top + 63} and columns {left} to {left + 63}" in said
    assert "37.9 %" in said and percent(float(coarse_map.probability[row, column])) in said


def test_the_sentence_says_what_the_least_important_half_is_worth(open_page, coarse_map, lite0, chelsea):
    app = open_page("occlusion", COARSE)
    hidden = occlusion.hide_pixels(lite0, chelsea, views.least_important(coarse_map), SPEC)
    left = float(network.predict(lite0, hidden).probabilities[coarse_map.target])
    costs = left < coarse_map.baseline_probability
    assert f"{'leaves' if costs else 'makes it'} **{percent(left)}**" in sentence(app)


def test_it_says_before_how_many_windows_there_are(open_page, coarse_map):
    assert f"**{coarse_map.total} windows**, about" in captions(open_page("occlusion", COARSE))


def test_what_takes_long_waits_for_the_button(open_page, monkeypatch):
    monkeypatch.setattr(confirm, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(controls, "LIGHT", 0.0)
    app = open_page("occlusion", COARSE)
    assert any("waits for you" in block.value for block in app.info)
    assert not any("patch" in block.value for block in app.markdown)
    app.button(key="occlusion_map_begin").click().run()
    assert "37.9 %" in sentence(app)
    assert not any(button.key == "occlusion_map_begin" for button in app.button)


def test_what_was_begun_stays_when_it_turns_out_to_take_long(open_page, monkeypatch):
    app = open_page("occlusion", COARSE)
    monkeypatch.setattr(confirm, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(controls, "LIGHT", 0.0)
    assert "37.9 %" in sentence(app.run())
    app.slider(key="occlusion_stride").set_value(64).run()
    assert any("waits for you" in block.value for block in app.info)


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("drop of the score", "Red: hiding this lowers"),
        ("probability", "nothing hidden: 37.9 %"),
        ("what it becomes", "The class that comes first"),
    ],
)
def test_every_view_is_drawn(open_page, view: str, words: str):
    app = open_page("occlusion", COARSE | {"occlusion_view": view})
    assert not app.exception and words in captions(app)
    assert app.slider(key="occlusion_opacity").disabled == (view == "probability")


def test_row_and_column_choose_the_window(open_page, coarse_map, lite0, chelsea):
    app = open_page("occlusion", COARSE)
    app.number_input(key="occlusion_row").set_value(190)
    app.number_input(key="occlusion_column").set_value(30).run()
    said = network.predict(lite0, occlusion.hide(lite0, chelsea, 160, 0, SPEC))
    now = float(said.probabilities[coarse_map.target])
    assert any(block.value == f"#### 37.9 % → {percent(now)}" for block in app.markdown)
    app.button(key="occlusion_strongest").click().run()
    assert app.number_input(key="occlusion_row").value is None


def test_the_address_holds_the_window_looked_at(open_page):
    app = open_page("occlusion", COARSE | {"occlusion_row": "190", "occlusion_column": "30"})
    assert app.number_input(key="occlusion_row").value == 190
    assert not app.button(key="occlusion_strongest").disabled


def test_six_fills_are_compared_for_one_window(open_page):
    app = open_page("occlusion", COARSE)
    assert any(re.search(r"This window filled with \*\*.+\*\* leaves", block.value) for block in app.markdown)
    app.selectbox(key="occlusion_fill").select("noise").run()
    assert not app.exception and "37.9 %" in sentence(app)


def test_three_sizes_are_computed_only_when_asked_for(open_page):
    app = open_page("occlusion", {"occlusion_window": "64", "occlusion_stride": "64"})
    assert "windows of 16, 32, 64" not in captions(app)
    app.toggle(key="occlusion_sizes").set_value(True).run()
    assert not app.exception and "windows of 16, 32, 64" in captions(app)


def test_a_stride_beyond_the_window_is_named_for_what_it_is(open_page):
    app = open_page("occlusion", {"occlusion_window": "48", "occlusion_stride": "64"})
    assert not app.exception and "is never hidden" in captions(app)


def test_another_class_gives_another_map(open_page, coarse_map, lite0):
    name = "lynx"
    app = open_page("occlusion", COARSE | {"class": name})
    assert f"**{name}**" in sentence(app)
    assert lite0.categories[coarse_map.target] not in sentence(app).split("and the network says")[0]


def test_there_are_files_to_take_away(open_page):
    app = open_page("occlusion", COARSE)
    labels = {button.label for button in app.get("download_button")}
    assert labels == {"Picture (PNG)", "Values (CSV)", "Values (NPZ)", "Recipe (Python)"}
