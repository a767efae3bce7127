"""Whole pages from hostile addresses: every one is shown, and what it says is shown as it was written."""

import random
import re

import pytest

from convis_core.errors import SpecError
from pages._sections.feature_maps import pickers
from pages._sections.occlusion import controls as occlusion_controls
from pages._shell import confirm, navigation, text

PICTURE = "![x](http://127.0.0.1:9/a.png)"
BAD = ("²", "9" * 5000, "1e999", "inf", "nan", "-1", PICTURE)
MARKS = set("\\`*_{}[]<>#|~$&^")


@pytest.fixture(autouse=True)
def nothing_long(monkeypatch):
    monkeypatch.setattr(confirm, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(occlusion_controls, "LIGHT", 0.0)


@pytest.mark.parametrize("number", BAD, ids=lambda number: number[:8])
def test_a_channel_and_a_cell_that_are_no_numbers_are_the_first_ones(open_page, number):
    query = {pickers.VIEW: pickers.CHANNEL, "feature_maps_layer": "blocks.4"}
    plain = open_page("feature_maps", query)
    app = open_page("feature_maps", query | dict.fromkeys(_FIELDS, number))
    assert not app.exception and not app.error
    for key in _FIELDS:
        expected = 0 if number == "-1" else plain.number_input(key=key).value
        # Another channel begins at a cell of its own, so that only its number can be compared.
        if number != "-1" or key == "feature_maps_channel":
            assert app.number_input(key=key).value == expected


_FIELDS = ("feature_maps_channel", "feature_maps_row", "feature_maps_column")


@pytest.mark.parametrize("number", BAD, ids=lambda number: number[:8])
def test_a_pooled_channel_that_is_no_number_is_the_first_one(open_page, number):
    app = open_page("feature_maps", {pickers.VIEW: pickers.POOLING, "feature_maps_pool_channel": number})
    assert not app.exception and not app.error


@pytest.mark.parametrize(
    ("experiment", "key"),
    [
        ("Receptive field", "convolution_layers"),
        ("Slide a filter", "convolution_slide_numbers_vertical_edge"),
        ("Shared weight", "convolution_shared_w"),
    ],
)
def test_a_picture_in_a_link_is_quoted_and_not_fetched(open_page, experiment, key):
    app = open_page("convolution", {"convolution_experiment": experiment, key: PICTURE})
    assert not app.exception
    quoted = app.error[0].value
    assert r"!\[x\]" in quoted
    assert "://" not in quoted and not re.search(r"(?<!\\)\[", quoted)


@pytest.mark.parametrize(
    "words",
    [
        PICTURE,
        "[a](b) <img src=x> **bold** $x^2$ `code` # | ~~no~~ &lt;",
        ":material/home: :smile: :red[words] http://a.b www.a.b me@a.b",
        "1. one",
        "- one",
        "=== \\ ---",
        "    code\n\n# title",
    ],
)
def test_no_mark_of_markdown_is_left_active(words):
    shown = text.plain(words)
    assert not MARKS & set(re.sub(r"\\[^\w\s]", "", shown)), "every mark is escaped"
    assert not re.search(r":[\w/+-]|@\w|www\.", shown), "no icon, emoji, directive, link or address of a person"
    assert not re.match(r"\d+[.)]|[-+=]|\s", shown), "no list, no title, no code"
    assert re.sub(r"\\([^\w\s])", r"\1", shown).replace("\N{WORD JOINER}", "") == " ".join(words.split())


@pytest.mark.parametrize(
    ("page", "asked"),
    [
        ("home", "home.glance._pictures"),
        ("architecture", "architecture.parts.block"),
        ("convolution", "convolution.parts.choose_filter"),
        ("feature_maps", "feature_maps.pickers.layers"),
        ("occlusion", "occlusion.controls.choose"),
        ("saliency", "saliency.controls.method"),
        ("class_models", "class_models.controls.target"),
    ],
)
def test_what_a_section_refuses_is_said_and_the_page_lives_on(open_page, monkeypatch, page, asked):
    def refuse(*_arguments):
        raise SpecError("Not with *this*.")

    monkeypatch.setattr(f"pages._sections.{asked}", refuse)
    app = open_page(page)
    assert not app.exception
    assert app.error[0].value == r"Not with \*this\*."
    assert app.get("html"), "the header is there all the same"


@pytest.mark.parametrize("seed", range(20))
def test_twenty_random_addresses_break_no_page(open_page, seed):
    chance = random.Random(seed)
    page = chance.choice([entry.name for entry in navigation.PAGES])
    keys = [key for key in _KEYS if key.startswith(page)]
    query = {key: chance.choice([*BAD, "33", "0.5", "true", "All layers", "nowhere"]) for key in chance.sample(keys, 4)}
    view = chance.choice(_VIEWS[page])
    app = open_page(page, {_OPENS[page]: view, "saliency_method": "Saliency"} | query, timeout=120)
    assert not app.exception, (page, view, query)


_OPENS = {
    "architecture": "architecture_view",
    "convolution": "convolution_experiment",
    "feature_maps": "feature_maps_view",
    "occlusion": "occlusion_view",
    "saliency": "saliency_view",
    "class_models": "class_models_view",
}
_VIEWS = {
    "architecture": ("Drawing", "All layers", "Where the cost is", "Compare two"),
    "convolution": ("Slide a filter", "Size", "Pooling", "Corner", "Receptive field", "Shared weight", "ReLU"),
    "feature_maps": pickers.VIEWS,
    "occlusion": ("drop of the score", "probability", "what it becomes"),
    "saliency": ("Filmstrip", "Compare", "Why smooth?", "Should you believe it?"),
    "class_models": ("Draw a class", "A/B", "Inside the network"),
}
_KEYS = (
    *("architecture_block", "architecture_order", "architecture_other", "architecture_view"),
    *("convolution_layers", "convolution_place", "convolution_stride", "convolution_padding", "convolution_source"),
    *("convolution_size_width", "convolution_size_kernel", "convolution_shared_x", "convolution_corner_share"),
    *("feature_maps_layer", "feature_maps_channel", "feature_maps_row", "feature_maps_column", "feature_maps_page"),
    *("feature_maps_convolution", "feature_maps_slice", "feature_maps_many", "feature_maps_pool_channel"),
    *("occlusion_fill", "occlusion_opacity", "occlusion_row", "occlusion_column", "occlusion_sizes"),
    *("saliency_samples", "saliency_noise", "saliency_row", "saliency_column", "saliency_walk_noise", "saliency_seed"),
    *("class_models_steps", "class_models_seed", "class_models_lesson", "class_models_class", "class_models_layer"),
    *("class_models_channel", "class_models_modern_zoom", "class_models_modern_rate", "class_models_modern_views"),
)
