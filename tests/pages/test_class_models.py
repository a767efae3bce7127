"""Class models without a browser: every section, the address, drawing, going on, and what the sentences say."""

import pytest

from pages._shared.rooms import class_models_controls as controls
from pages._shared.rooms import class_models_draw, class_models_film


def opened(open_page, section="Draw a class", **query):
    names = {f"class_models_{key}": value for key, value in query.items()}
    return open_page("class_models", {"class_models_view": section} | names, timeout=120)


def test_the_first_visit_computes_nothing_and_says_what_to_do(open_page):
    app = open_page("class_models")
    assert not app.exception and not app.error
    assert class_models_draw.REACHED not in app.session_state
    assert "look" in sentence(app)


def sentence(app):
    return next(block.value for block in app.markdown if block.value.startswith("####"))


@pytest.mark.parametrize("lesson", controls.LESSONS)
def test_every_lesson_draws_with_its_own_spec(open_page, lesson):
    app = opened(open_page, steps="16", lesson=controls.LESSONS[lesson])
    app.button(key="class_models_begin").click().run()
    assert not app.exception and not app.error
    _, frame = app.session_state[class_models_draw.REACHED]
    preset = dict(controls.class_models.PRESETS)[lesson]
    assert frame.step == 16
    assert (frame.spec.regularisers, frame.spec.transforms) == (preset.regularisers, preset.transforms)
    assert frame.spec.learning_rate == pytest.approx(preset.learning_rate)
    assert f"**{frame.logit:.2f}**" in sentence(app)
