"""The saliency page without a browser: every section from its link, and what the sentences say."""

import runpy

import pytest
import torch

from convis_core import attribution, images, models, network
from convis_core.figures.scores import percent
from convis_core.results import ClassSwap, DeletionInsertion, DeletionInsertionSpec, WeightRandomisation
from convis_core.runtime import lanes
from pages._sections.saliency import compare, forget, labels, sanity, swap, walk
from pages._sections.saliency import curves as saliency_curves
from pages._shell import confirm, layout

QUICK = {"saliency_samples": "4"}


def opened(open_page, view="One map", **query):
    return open_page(
        "saliency", {"saliency_view": view} | QUICK | {f"saliency_{key}": value for key, value in query.items()}
    )


@pytest.fixture
def short(monkeypatch):
    """Tests of few steps, begun without being asked for."""
    spec = DeletionInsertionSpec(steps=3, random_orders=1)
    monkeypatch.setattr(confirm, "PATIENCE_SECONDS", 1e9)
    monkeypatch.setattr(compare, "SPEC", spec)
    monkeypatch.setattr(saliency_curves, "SPEC", spec)
    monkeypatch.setattr(walk, "STEPS", 8)


def sentence(app):
    return next(block.value for block in app.markdown if block.value.startswith("####"))


@pytest.fixture(scope="module")
def lite0():
    return models.load("efficientnet_lite0")


@pytest.fixture(scope="module")
def x(lite0):
    return images.to_tensor(images.sample("chelsea"), lite0.input_size)


@pytest.fixture(scope="module")
def target(lite0, x):
    return network.predict(lite0, x).top[0].index


@pytest.mark.parametrize("kind", attribution.KINDS)
def test_every_method_draws_its_map_and_a_sentence(open_page, kind):
    app = opened(open_page, method=labels.LABELS[kind], steps="8")
    assert not app.exception and not app.error
    assert app.selectbox(key="saliency_method").value == kind
    assert "of the picture" in sentence(app)


def test_the_sentence_is_that_of_the_map(open_page, lite0, x, target):
    app = opened(open_page, method="Saliency")
    found = attribution.saliency(lite0, x, target)
    row, column = attribution.strongest_pixel(found)
    share = percent(attribution.concentration(found.magnitude()))
    assert f"**{share}**" in sentence(app) and f"row {row}, column {column}" in sentence(app)
    assert f"{float(found.magnitude().max()) / 100:.3f}" in sentence(app)


def test_smoothgrad_says_how_much_it_still_changes(open_page):
    app = opened(open_page, samples="12")
    words = " ".join(block.value for block in app.markdown)
    assert "**12 of 12** noisy copies" in words and "correlation 0." in words


def test_the_seed_and_the_pairs_of_the_link_decide_the_noise(open_page):
    apps = [opened(open_page), opened(open_page, seed="7"), opened(open_page, antithetic="true")]
    assert not any(app.exception for app in apps)
    assert [app.session_state["saliency_seed"] for app in apps] == [0, 7, 0]
    assert [app.session_state["saliency_antithetic"] for app in apps] == [False, False, True]
    assert len({sentence(app) for app in apps}) == 3


def test_another_class_is_another_map(open_page):
    told = {sentence(opened_with(open_page, name)) for name in ("tiger cat", "espresso")}
    assert len(told) == 2


def opened_with(open_page, name):
    return open_page("saliency", {"class": name, "saliency_method": "Saliency"})


def test_a_convention_replaces_the_sliders_and_says_what_it_differs_in(open_page):
    app = opened(open_page, convention="Captum")
    assert not app.exception
    assert not [slider for slider in app.slider if slider.key == "saliency_noise"]
    words = " ".join(block.value for block in app.markdown)
    assert "NoiseTunnel" in words and "abs=True" in words


def test_grad_cam_takes_any_layer_and_an_unknown_one_falls_back(open_page, lite0):
    app = opened(open_page, method="Grad-CAM", layer="blocks.4")
    assert not app.exception and app.selectbox(key="saliency_layer").value == "blocks.4"
    app = opened(open_page, method="Grad-CAM", layer="nowhere")
    assert not app.exception and app.selectbox(key="saliency_layer").value == lite0.spec.cam_layer


@pytest.mark.parametrize("show", ["magnitude", "signed"])
def test_signed_and_unsigned_views_open_from_their_link(open_page, show):
    app = opened(open_page, method="Grad-CAM", show=show, opacity="0.3", clip="95.0")
    assert not app.exception
    assert app.session_state["saliency_show"] == show
    assert app.session_state["saliency_opacity"] == 0.3 and app.session_state["saliency_clip"] == 95


def test_the_filmstrip_has_a_map_for_each_level(open_page, short):
    app = opened(open_page, "Filmstrip")
    assert not app.exception and not app.error
    titles = [block.value for block in app.markdown if block.value.endswith("noise**")]
    assert titles == [f"**{level} % noise**" for level in (0, 5, 10, 20, 30, 50)]
    assert "without noise" in sentence(app)


def test_what_takes_long_waits_for_the_button(open_page, monkeypatch):
    monkeypatch.setattr(confirm, "PATIENCE_SECONDS", 0)
    app = opened(open_page, "Filmstrip")
    assert not app.exception
    assert "waits for you" in app.info[0].value
    assert not [block for block in app.markdown if block.value.startswith("####")]


def test_four_methods_are_compared(open_page, short):
    app = opened(open_page, "Compare", compare_1="Input x gradient")
    assert not app.exception and not app.error
    areas, alike = (table.value for table in app.table)
    assert areas.iloc[0, 0] == "1: Input x gradient" and areas.iloc[-1, 0] == "random order"
    assert alike.shape == (4, 5)
    assert [alike.iloc[place, place + 1] for place in range(4)] == ["1.00"] * 4
    assert "random order" in sentence(app)


@pytest.mark.parametrize(("samples", "used"), [("3", 3), ("5000", 100), ("many", 50), ("²", 50), ("9" * 5000, 50)])
def test_the_comparison_takes_the_copies_of_the_link(open_page, short, monkeypatch, samples, used):
    seen = []

    def note(model, x, target, methods, spec):
        seen.extend(methods)
        return iter(())

    monkeypatch.setattr(attribution, "compare", note)
    app = open_page("saliency", {"saliency_view": "Compare", "saliency_samples": samples})
    assert not app.exception
    assert seen[0].spec.n_samples == used


def test_the_walk_begins_at_the_most_sensitive_pixel_and_takes_any(open_page, short, lite0, x, target):
    app = opened(open_page, "Why smooth?")
    assert not app.exception and not app.error
    row, column = attribution.strongest_pixel(attribution.saliency(lite0, x, target))
    captions = " ".join(block.value for block in app.caption)
    assert f"at row {row}, column {column}" in captions
    assert "times" in sentence(app)
    app = opened(open_page, "Why smooth?", row="900", column="3")
    assert not app.exception
    assert "at row 223, column 3" in " ".join(block.value for block in app.caption)


def test_the_object_is_cut_out(open_page):
    app = opened(open_page, "Segment", method="Saliency")
    assert not app.exception and not app.error
    assert "of the picture" in sentence(app)
    titles = " ".join(block.value for block in app.markdown)
    assert all(step in titles for step in ("1. The map", "2. The seeds", "3. The mask", "Cut-out", "Outline"))


@pytest.fixture
def scripts(monkeypatch):
    """The recipes that are offered, by the key of their button."""
    found = {}

    def note(label, content, file_name, *, key):
        if file_name.endswith(".py"):
            found[key] = content.decode()

    monkeypatch.setattr(layout, "download", note)
    return found


def run(script, folder):
    (folder / "recipe.py").write_text(script)
    # On one thread, as the page computes: with another number gradients round otherwise, and GrabCut may cut elsewhere.
    return lanes.run(lambda: runpy.run_path(str(folder / "recipe.py")))


def test_the_recipe_of_the_cut_out_cuts_the_same(open_page, scripts, tmp_path):
    app = opened(open_page, "Segment", method="Saliency", upper="90", rounds="2")
    ran = run(scripts["saliency_cut_recipe"], tmp_path)
    assert percent(ran["result"].share()) in sentence(app)
    assert ran["result"].spec.foreground_percentile == 90 and ran["result"].spec.iterations == 2


def test_the_recipe_of_the_curves_draws_the_same(open_page, short, scripts, tmp_path):
    app = opened(open_page, "Should you believe it?", method="Saliency")
    ran = run(scripts["saliency_curves_recipe"], tmp_path)
    assert f"{ran['result'].deletion_auc():.3f}" in sentence(app)
    assert f"{ran['result'].random_insertion_auc():.3f}" in sentence(app)


@pytest.mark.parametrize("check", sanity.CHECKS)
def test_every_test_of_a_map_ends_with_a_sentence(open_page, short, check):
    app = opened(open_page, "Should you believe it?", method="Saliency", check=check)
    assert not app.exception and not app.error
    assert sentence(app)


@pytest.mark.parametrize("name", ["One map", "nothing"])
def test_an_unknown_section_falls_back(open_page, name):
    app = opened(open_page, name, method="Saliency")
    assert not app.exception
    assert app.session_state["saliency_view"] == "One map"


def curves(own_deletion, own_insertion):
    fractions, flat = torch.tensor([0.0, 1.0]), torch.full((1, 2), 0.5)
    return DeletionInsertion(
        fractions, torch.full((2,), own_deletion), torch.full((2,), own_insertion), flat, flat, 0, "SmoothGrad",
        DeletionInsertionSpec(steps=1, random_orders=1), 8, 8,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("deletion", "insertion", "said"),
    [
        (0.2, 0.8, "beats a random order both ways"),
        (0.6, 0.8, "in insertion **but not in deletion**"),
        (0.2, 0.4, "in deletion **but not in insertion**"),
        (0.6, 0.4, "**no better than a random order**"),
    ],
)
def test_the_page_says_where_a_map_does_not_beat_chance(deletion, insertion, said):
    assert said in saliency_curves.sentence("tiger cat", curves(deletion, insertion))


@pytest.mark.parametrize(
    ("ranks", "said"),
    [((1, 0.2, 0.1), "as it should"), ((1, 0.9, 0.8), "without any learning"), ((1, 0.9, 0.1), "layer which decides")],
)
def test_forgetting_is_judged(ranks, said):
    found = WeightRandomisation(("fc", "stem"), (torch.ones(2, 2),) * 3, ranks, ranks, 0, "saliency", 2, 2)
    assert said in forget.sentence(found)


@pytest.mark.parametrize(
    ("likeness", "said"),
    [(0.9, "where the picture has structure"), (0.5, "partly the same places"), (0.1, "is about the class")],
)
def test_swapping_is_judged(likeness, said):
    table = torch.tensor([[1.0, likeness], [likeness, 1.0]])
    found = ClassSwap((3, 5), (torch.ones(2, 2),) * 2, table, table, "saliency", 2, 2)
    assert said in swap.sentence(["cat", "cup"], found)
