"""Controls against whatever an address may say: what is shown is what is computed, and nothing ever fails."""

import math
import random
import sys
import types

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from pages._sections.class_models import controls as lessons
from pages._shell import address, confirm, controls

KINDS = (
    "slider",
    "interval",
    "number",
    "optional_number",
    "selectbox",
    "segmented",
    "radio",
    "select_slider",
    "multiselect",
    "toggle",
    "text_input",
)
NUMERIC = ("slider", "interval", "number", "optional_number")
UNREADABLE = ("1e999", "inf", "-inf", "nan", "²", "٣", "9" * 5000, "0x10", "1_0", "", " ", "1 2", "![x](http://y)")
HOSTILE = (
    *UNREADABLE,
    "-1",
    "-0",
    "1e-300",
    "33",
    "3.7",
    "4096",
    "99999999999",
    "true",
    "None",
    "a" * 3000,
    "\0",
    "\n",
)

# Cheap settings under which all that a section asks is on the page.
COARSE = {"occlusion_window": "64", "occlusion_stride": "56"}
OPENINGS: tuple[tuple[str, dict[str, str]], ...] = (
    ("home", {}),
    *(("architecture", {"architecture_view": view}) for view in ("Drawing", "All layers", "Compare two")),
    *(
        ("convolution", {"convolution_experiment": name})
        for name in ("Three channels", "Size", "Pooling", "Corner", "Receptive field", "Shared weight", "ReLU")
    ),
    ("convolution", {}),
    ("convolution", {"convolution_slide_filter": "The network's own"}),
    ("convolution", {"convolution_experiment": "ReLU", "convolution_relu_filter": "The network's own"}),
    *(
        ("feature_maps", {"feature_maps_view": view})
        for view in ("All layers", "One layer", "One channel", "Turn it off", "Max pooling")
    ),
    ("feature_maps", {"feature_maps_view": "Turn it off", "feature_maps_whom": "this channel"}),
    ("feature_maps", {"feature_maps_view": "Filters", "feature_maps_convolution": "blocks.2.branch.depthwise.conv"}),
    ("occlusion", COARSE),
    ("saliency", {"saliency_samples": "2"}),
    ("saliency", {"saliency_method": "Integrated gradients", "saliency_steps": "8"}),
    ("saliency", {"saliency_method": "Grad-CAM"}),
    ("saliency", {"saliency_view": "Compare"}),
    ("saliency", {"saliency_view": "Why smooth?"}),
    ("saliency", {"saliency_view": "Segment", "saliency_method": "Saliency"}),
    ("saliency", {"saliency_view": "Should you believe it?", "saliency_method": "Saliency"}),
    *(("class_models", {"class_models_lesson": label}) for label in lessons.LESSONS.values()),
    ("class_models", {"class_models_view": "A/B"}),
    ("class_models", {"class_models_view": "Inside the network"}),
    ("class_models", {"class_models_view": "Inside the network", "class_models_inside": "Deep Dream"}),
)


_called: dict[str, tuple[str, tuple, dict]] = {}


@pytest.fixture
def every_control(open_page, monkeypatch):
    """All controls of all pages as they were called: key -> (kind, arguments, named arguments)."""
    if _called:
        return _called

    def noting(kind):
        real = getattr(controls, kind)

        def noted(*arguments, **named):
            called = {name: value for name, value in named.items() if name != "place"}
            _called.setdefault(named["key"], (kind, arguments, called))
            return real(*arguments, **named)

        return noted

    with monkeypatch.context() as patch:
        # Nothing that takes long is begun, save what a test asks for.
        patch.setattr(confirm, "PATIENCE_SECONDS", 0.0)
        for kind in KINDS:
            patch.setattr(controls, kind, noting(kind))
        for page, query in OPENINGS:
            assert not open_page(page, query, timeout=120).exception, (page, query)
    return _called


@pytest.fixture
def drawn(monkeypatch):
    """Draws controls on a page of their own, with an address; gives their values, and the page."""

    def draw(called, query):
        values = {}

        def body():
            for key, (kind, arguments, named) in called.items():
                values[key] = getattr(controls, kind)(*arguments, **named)

        stub = types.ModuleType("convis_stub_page")
        stub.body = body
        monkeypatch.setitem(sys.modules, stub.__name__, stub)
        app = AppTest.from_string("import convis_stub_page\nconvis_stub_page.body()", default_timeout=60)
        app.query_params.update(query)
        app.run()
        return values, app

    return draw


def limits(called):
    kind, arguments, named = called
    if kind in ("slider", "interval"):
        return arguments[1]
    low, high = arguments[1:3]
    last = named.get("last")
    return low, high if last is None else min(high, last), 1


def default(called):
    kind, arguments, named = called
    if kind in ("slider", "interval"):
        return arguments[2]
    first = named.get("first")
    return None if kind == "optional_number" else arguments[1] if first is None else first


def numeric(every_control):
    return {key: called for key, called in every_control.items() if called[0] in NUMERIC}


def shown(app, key):
    widgets = [*app.slider, *app.number_input]
    return next(widget.value for widget in widgets if widget.key == key)


def test_the_pages_have_the_controls_that_are_tried_here(every_control):
    kinds = [kind for kind, _, _ in every_control.values()]
    assert len(numeric(every_control)) >= 60
    assert {"slider", "interval", "number", "optional_number", "selectbox", "segmented", "toggle"} <= set(kinds)
    for key in ("feature_maps_channel", "feature_maps_pool_channel", "occlusion_row", "saliency_row", "saliency_steps"):
        assert key in every_control


@pytest.mark.parametrize("text", UNREADABLE, ids=lambda text: text[:12])
def test_what_cannot_be_read_is_the_default_of_every_numeric_control(every_control, drawn, text):
    fields = numeric(every_control)
    values, app = drawn(fields, dict.fromkeys(fields, text))
    assert not app.exception
    for key, called in fields.items():
        assert values[key] == default(called), key
        assert shown(app, key) == values[key]


@pytest.mark.parametrize(("text", "end"), [("-1", 0), ("-99999999999", 0), ("99999999999", 1)])
def test_what_is_out_of_range_is_the_nearest_limit_of_every_numeric_control(every_control, drawn, text, end):
    fields = {key: called for key, called in numeric(every_control).items() if called[0] != "interval"}
    values, app = drawn(fields, dict.fromkeys(fields, text))
    assert not app.exception
    for key, called in fields.items():
        assert values[key] == limits(called)[end], key
        assert shown(app, key) == values[key]


def test_what_lies_between_two_steps_is_the_nearest_of_them(every_control, drawn):
    fields = numeric(every_control)
    chosen = {"occlusion_window": "33", "occlusion_opacity": "0.33", "class_models_steps": "23.9"}
    values, app = drawn({key: fields[key] for key in chosen}, chosen)
    assert values == {"occlusion_window": 32, "occlusion_opacity": 0.35, "class_models_steps": 16}
    assert app.query_params["occlusion_opacity"] == "0.35", "the address says what is shown"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (["0.6", "1.2"], (0.6, 1.2)),
        (["1.2", "0.6"], (0.6, 1.2)),
        (["-5", "9"], (0.5, 1.5)),
        (["0.62", "1.18"], (0.6, 1.2)),
        (["0.6"], None),
        (["0.6", "nan"], None),
        (["0.6", "0.7", "0.8"], None),
    ],
)
def test_an_interval_is_two_numbers_in_order(every_control, drawn, said, meant):
    called = every_control["class_models_modern_zoom"]
    values, app = drawn({"class_models_modern_zoom": called}, {"class_models_modern_zoom": said})
    assert not app.exception
    assert values["class_models_modern_zoom"] == pytest.approx(default(called) if meant is None else meant)


def test_an_unknown_option_is_the_default_of_every_control_of_options(every_control, drawn):
    fields = {key: called for key, called in every_control.items() if called[0] in ("selectbox", "segmented", "radio")}
    assert len(fields) >= 30
    values, app = drawn(fields, dict.fromkeys(fields, "nowhere"))
    assert not app.exception
    for key, (_, arguments, named) in fields.items():
        start = named.get("default")
        assert values[key] == (arguments[1][0] if start is None else start), key


def test_a_switch_takes_true_and_false_and_nothing_else(drawn):
    field = {"switch": ("toggle", ("Switch",), {"key": "switch", "help": ""})}
    for text, value in (("true", True), ("FALSE", False), ("1", False), ("yes", False), ("²", False)):
        values, app = drawn(field, {"switch": text})
        assert not app.exception and values["switch"] is value


def test_a_text_is_one_line_and_ends_where_the_field_ends(drawn):
    field = {"words": ("text_input", ("Words", "first"), {"key": "words", "help": "", "max_chars": 8})}
    for text, value in (("a\nb", "a b"), ("x" * 5000, "x" * 8), ("", "")):
        values, app = drawn(field, {"words": text})
        assert not app.exception and values["words"] == value == app.text_input(key="words").value


def test_ordered_options_and_several_options_take_what_is_known(drawn):
    fields = {
        "one": ("select_slider", ("One", ("s", "m", "l")), {"key": "one", "help": "", "default": "m"}),
        "many": ("multiselect", ("Many", ("s", "m", "l")), {"key": "many", "help": ""}),
    }
    values, app = drawn(fields, {"one": "xl", "many": ["l", "xl", "s", "l"]})
    assert not app.exception and values == {"one": "m", "many": ["l", "s"]}
    values, app = drawn(fields, {"one": "l", "many": "xl"})
    assert not app.exception and values == {"one": "l", "many": []}


def test_an_option_or_a_number_that_is_no_longer_there_is_left(drawn):
    box = ("selectbox", ("Layer", ["a", "b"]), {"key": "layer", "help": "", "default": "b"})
    field = ("number", ("Channel", 0, 4096), {"key": "channel", "help": "", "last": 9})
    _, app = drawn({"layer": box, "channel": field}, {"layer": "a", "channel": "7"})
    box[1][1][:] = ["b", "c"]
    field[2]["last"] = 4
    app.run()
    assert not app.exception
    assert (app.selectbox(key="layer").value, app.number_input(key="channel").value) == ("b", 4)


def test_going_back_to_an_address_that_no_field_can_show_does_not_fail(drawn, monkeypatch):
    """The address wins then, also over a control that was drawn before."""
    fields = {
        "channel": ("number", ("Channel", 0, 4096), {"key": "channel", "help": ""}),
        "window": ("slider", ("Window", (8, 96, 4), 32), {"key": "window", "help": ""}),
    }
    _, app = drawn(fields, {"channel": "7", "window": "40"})
    from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext

    reset = ScriptRunContext.reset
    monkeypatch.setattr(
        ScriptRunContext, "reset", lambda self, **named: reset(self, **named | {"is_history_navigation": True})
    )
    app.query_params.update({"channel": "1e999", "window": "1000"})
    app.run()
    assert not app.exception
    assert (app.number_input(key="channel").value, app.slider(key="window").value) == (0, 96)


@pytest.mark.parametrize("seed", range(10))
def test_five_hundred_random_addresses_break_no_control(every_control, drawn, seed):
    """Fifty at once: each has its own copies of the controls, since every page that is opened costs half a second."""
    chance = random.Random(seed)
    fields, query = {}, {}
    for number in range(50):
        for key in chance.sample(sorted(every_control), 4):
            kind, arguments, named = every_control[key]
            copy = f"address_{number}_{key}"
            fields[copy] = (kind, arguments, named | {"key": copy})
            query[copy] = chance.choices([*HOSTILE, *_likely(fields[copy])], k=chance.choice((1, 1, 2)))
    values, app = drawn(fields, query)
    assert not app.exception
    for key, called in fields.items():
        _fits(called, values[key], query[key])


def _likely(called):
    """Texts near to what a control takes."""
    kind, arguments, named = called
    if kind in NUMERIC:
        low, high, step = limits(called)
        return [str(low), str(high), str(high + step), str((low + high) / 2)]
    if kind in ("selectbox", "segmented", "radio"):
        return [named.get("format_func", str)(option) for option in arguments[1][:3]]
    return ["true", "c3 p2", "1 0 / 0 1"]


def _fits(called, value, said):
    kind, arguments, named = called
    if kind in NUMERIC:
        low, high, step = limits(called)
        for one in value if kind == "interval" else (value,):
            steps = 0.0 if one is None else (one - low) / step
            assert one is None or low <= one <= high, said
            assert one == default(called) or math.isclose(steps, round(steps), abs_tol=1e-6), said
    elif kind in ("selectbox", "segmented", "radio"):
        assert value in arguments[1], said
    elif kind == "text_input":
        assert len(value) <= named["max_chars"], said


spans = st.tuples(st.integers(-100, 100), st.integers(1, 200), st.integers(1, 50)).map(
    lambda triple: (triple[0], triple[0] + triple[1] * triple[2], triple[2])
)


@given(st.lists(st.text(max_size=40) | st.floats().map(str) | st.integers().map(str), max_size=4), spans)
def test_settling_an_address_once_is_settling_it_for_good(said, span):
    once = address.numbers(said, span)
    assert address.numbers(once, span) == once
    low, high, step = span
    for text in once:
        value = float(text)
        assert low <= value <= high and math.isclose((value - low) / step, round((value - low) / step), abs_tol=1e-6)


@given(st.text(max_size=60))
def test_only_finite_numbers_in_ascii_are_numbers(text):
    value = address.number(text)
    if value is not None:
        assert math.isfinite(value) and text.isascii() and float(text) == value


@given(st.floats(0, 1), st.integers(1, 20))
def test_a_number_becomes_the_nearest_step(value, count):
    step = 1 / count
    placed = address.nearest(value, (0.0, 1.0, step))
    assert abs(placed - value) <= step / 2 + 1e-8
