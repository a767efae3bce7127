"""Class models without a browser: every section, the address, drawing, going on, and what the sentences say."""

import base64
import io
import json

import pytest
from PIL import Image

from convis_core import images, models
from convis_core.figures.scores import percent
from pages._sections.class_models import controls, draw, others
from pages._sections.class_models import gallery as class_models_gallery
from pages._sections.class_models import pair as class_models_pair

PRESETS = dict(controls.class_models.PRESETS)


def opened(open_page, section="Draw a class", **query):
    names = {f"class_models_{key}": value for key, value in query.items()}
    return open_page("class_models", {"class_models_view": section} | names, timeout=120)


def sentence(app):
    return next(block.value for block in app.markdown if block.value.startswith("####"))


def reached(app):
    _, frame = app.session_state[f"{draw.SLOT}_reached"]
    return frame


def button(app, key):
    return next(one for one in app.button if one.key == key)


def test_the_first_visit_computes_nothing_and_says_what_to_do(open_page):
    app = open_page("class_models")
    assert not app.exception and not app.error
    assert f"{draw.SLOT}_reached" not in app.session_state
    assert "tiger cat" in sentence(app)
    assert "Press *Draw tiger cat*" in "".join(note.value for note in app.info)


@pytest.mark.parametrize("lesson", controls.LESSONS)
def test_every_lesson_draws_with_its_own_spec(open_page, lesson):
    app = opened(open_page, steps="16", lesson=controls.LESSONS[lesson])
    button(app, "class_models_begin").click().run()
    assert not app.exception and not app.error
    frame, preset = reached(app), PRESETS[lesson]
    assert frame.step == 16
    assert (frame.spec.regularisers, frame.spec.transforms) == (preset.regularisers, preset.transforms)
    assert (frame.spec.parameterisation, frame.spec.start) == (preset.parameterisation, preset.start)
    assert frame.spec.learning_rate == pytest.approx(preset.learning_rate)
    assert f"**{frame.logit:.2f}**" in sentence(app) and f"**{percent(frame.probability)}**" in sentence(app)


def test_more_iterations_go_on_from_where_the_drawing_stands(open_page, monkeypatch):
    begun_at = []
    ascend = draw.class_models.ascend

    def noted(*arguments, **named):
        begun_at.append(0 if named["resume"] is None else named["resume"].step)
        return ascend(*arguments, **named)

    monkeypatch.setattr(draw.class_models, "ascend", noted)
    app = opened(open_page, steps="16", lesson="raw gradient")
    button(app, "class_models_begin").click().run()
    app.slider(key="class_models_steps").set_value(32).run()
    assert not app.exception
    assert begun_at == [0, 16]
    assert reached(app).step == 32
    app.number_input(key="class_models_seed").set_value(1).run()
    assert begun_at == [0, 16, 0], "another seed is another drawing"


def test_the_slider_goes_back_to_any_moment_of_the_film(open_page):
    app = opened(open_page, steps="16", lesson="raw gradient")
    button(app, "class_models_begin").click().run()
    film = reached(app).film
    slider = app.select_slider[0]
    assert slider.options == [str(moment.step) for moment in film]
    slider.set_value(film[1].step).run()
    assert not app.exception
    said = f"Step **{film[1].step}** of 16: logit **{film[1].logit:.2f}**"
    assert any(said in block.value for block in app.markdown)


def test_a_change_that_needs_pixels_is_dropped_with_frequencies(open_page):
    app = opened(open_page, steps="16", lesson="blur", blur_parameterisation="frequencies (Fourier)")
    assert app.slider(key="class_models_blur_blur").disabled
    button(app, "class_models_begin").click().run()
    assert not app.exception and not app.error
    assert reached(app).spec.regularisers.blur_sigma == 0


@pytest.mark.parametrize("pair", class_models_pair.CHANGES)
def test_pairs_differ_in_one_thing_and_keep_seed_and_steps(open_page, pair):
    lesson, change = class_models_pair.CHANGES[pair]
    base = PRESETS[lesson]
    left, right = change.make(340, base)
    assert left != right
    assert (left.spec.seed, left.spec.steps) == (right.spec.seed, right.spec.steps)
    assert left.objective.target == right.objective.target == 340
    if pair != "no blur or blur":
        return
    app = opened(open_page, "A/B", steps="16", pair=pair, **{"class": "zebra"})
    button(app, "class_models_pair_begin").click().run()
    assert not app.exception and not app.error
    assert "zebra" in sentence(app)


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """A gallery with one picture, of noise."""
    Image.effect_noise((224, 224), 60).convert("RGB").save(tmp_path / "zebra.png")
    entry = {
        "name": "zebra",
        "target": 340,
        "animation": "zebra.png",
        "best": "zebra.png",
        "best_frame": {"logit": [12.34], "probability": [0.987]},
        "steps": 256,
    }
    (tmp_path / "gallery.json").write_text(json.dumps([entry]))
    monkeypatch.setattr(class_models_gallery, "FOLDER", tmp_path)


def test_the_gallery_shows_files_and_its_button_draws_that_class(open_page, gallery):
    app = opened(open_page, steps="16", lesson="raw gradient")
    assert any("**zebra** 98.7 %, logit 12.34" in block.value for block in app.markdown)
    button(app, "class_models_pick_340").click().run()
    assert not app.exception
    assert reached(app).objective.target == 340


def test_nobody_else_can_be_asked_where_there_are_no_other_weights(open_page, gallery, monkeypatch, tmp_path):
    monkeypatch.setenv("CONVIS_WEIGHTS_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    app = opened(open_page, "Is it one to anyone else?")
    assert not app.exception and not app.error
    sentences = [block.value for block in app.markdown if block.value.startswith("####")]
    assert sentences == ["#### Nobody else can be asked: no other network's weights are on this machine."]


def test_other_networks_are_asked_one_after_the_other(open_page, gallery, monkeypatch):
    from pages._sections.class_models import others

    monkeypatch.setattr(others, "_jury", lambda: (models.MODELS[:3], ()))
    load = models.load
    monkeypatch.setattr(others.models, "load", lambda name: load(name, weights="random", seed=0))
    app = opened(open_page, "Is it one to anyone else?")
    assert not app.exception and not app.error
    assert sentence(app).startswith("#### **0 of 2** other networks put **zebra** first")
    assert len(app.dataframe[0].value) == 3


def test_a_channel_is_reached_by_address_and_drawn(open_page):
    app = opened(open_page, "Inside the network", layer="blocks.4", channel="7", channel_steps="16")
    assert "channel **7** of **blocks.4**" in sentence(app)
    button(app, "class_models_channel_begin").click().run()
    assert not app.exception and not app.error
    assert "mean of channel **7** rose" in sentence(app)


def test_a_dream_is_drawn_on_the_picture(open_page):
    app = opened(
        open_page, "Inside the network", inside="Deep Dream", dream_layer="blocks.4", dream_octaves="2", dream_steps="2"
    )
    button(app, "class_models_dream_begin").click().run()
    assert not app.exception and not app.error
    assert "4 steps in 2 sizes" in sentence(app)


def test_the_gallery_plays_its_films_and_stands_still_on_demand(open_page):
    def frames(app) -> list[int]:
        addresses = [image.url for block in app.get("image") for image in block.proto.imgs]
        films = [address.partition(";base64,")[2] for address in addresses if address.startswith("data:image/")]
        return [getattr(Image.open(io.BytesIO(base64.b64decode(film))), "n_frames", 1) for film in films]

    assert frames(opened(open_page)) == [32] * 4
    assert frames(opened(open_page, still="true")) == [1] * 4


def test_a_picture_of_the_gallery_is_judged_as_it_was_drawn():
    exhibit = class_models_gallery.exhibits()[0]
    loaded = others._loaded(exhibit.best.read_bytes())
    drawn = Image.open(exhibit.best).convert("RGB")
    assert (images.to_image(loaded).tobytes(), loaded.shape) == (drawn.tobytes(), (3, *drawn.size))


def test_the_gallery_that_was_built_is_the_articles_four():
    shown = class_models_gallery.exhibits()
    assert [exhibit.name for exhibit in shown] == ["flamingo", "mosque", "zebra", "dumbbell"]
    assert all(exhibit.animation.exists() and exhibit.best.exists() for exhibit in shown)
    assert all(models.imagenet_categories()[exhibit.target] == exhibit.name for exhibit in shown)
