"""Draw a class: the gallery of the article's four, and under it a drawing of one's own, live."""

from collections.abc import Hashable
from dataclasses import replace

import streamlit as st

from convis_core import class_models
from convis_core.results import ClassModelFrame
from convis_core.runtime.board import Job
from pages._sections.class_models import controls, film, gallery
from pages._sections.class_models.controls import Settings
from pages._shell import layout, live, resume
from pages._shell.context import Context

SLOT = "class_models_drawing"
_ASKED = "class_models_asked"
"""Class and network that the person wants drawn; while they stay, a change of a setting draws at once."""


def draw(context: Context) -> None:
    """The gallery, the controls, and the drawing."""
    begun = st.session_state.get(_ASKED) is not None
    if not begun:
        gallery.draw(_pick)
    asked, answer = st.columns([1, 3.4])
    with asked:
        target = controls.target(context)
        iterations = controls.steps()
        button = st.container()
        settings_place = st.container()
    name = context.model.categories[target]
    with button:
        wanted = _wanted(context, target, name)
    with answer:
        chosen = controls.lesson()
        with settings_place:
            settings = controls.settings(target, chosen, iterations)
        if wanted:
            job = _watch(context, settings, name)
            st.markdown(controls.SAYS[chosen])
            _finished(context, job, name, chosen)
        else:
            st.markdown(controls.SAYS[chosen])
            _not_yet(context, name)
    if begun:
        # What was drawn live stands above; the films would push it below the fold.
        with st.expander("The article's four, played", icon=":material/movie:"):
            gallery.draw(_pick)


def _finished(context: Context, job: Job[ClassModelFrame], name: str, chosen: str) -> None:
    frame = job.frame
    if job.done and frame is not None:
        film.words(context, frame, name)
        recipe = controls.recipe(context, "class_models.ascend", frame.objective, film.taken(frame))
        film.files(recipe, frame, f"{name.replace(' ', '-')}-{chosen}-{frame.step}", "class_models_drawing")


def _wanted(context: Context, target: int, name: str) -> bool:
    """Whether this class was asked for; a gallery's button asks for a class of whatever network is there."""
    model_id = context.model.spec.id
    asked = st.session_state.get(_ASKED)
    if asked in ((model_id, target), ("", target)):
        return True
    st.button(
        f"Draw **{name}**",
        key="class_models_begin",
        icon=":material/brush:",
        type="primary",
        width="stretch",
        on_click=_ask,
        args=(model_id, target),
    )
    return False


def _ask(model_id: str, target: int) -> None:
    st.session_state[_ASKED] = (model_id, target)


def _pick(exhibit: gallery.Exhibit) -> None:
    st.session_state[controls.CLASS] = exhibit.name
    _ask("", exhibit.target)


def _watch(context: Context, settings: Settings, name: str) -> Job[ClassModelFrame]:
    """The drawing as it grows. What was reached before is gone on from where the settings allow it."""
    key = settings.key(context)
    model, objective, spec = context.model, settings.objective, settings.spec
    picture = context.x if spec.start == "picture" else None
    before = reached(context, settings)

    def show(frame: ClassModelFrame, job: Job[ClassModelFrame]) -> None:
        resume.remember(SLOT, _run(context, settings), frame)
        film.show(frame, job, name)

    return live.watch(
        SLOT,
        key,
        lambda: class_models.ascend(model, objective, spec, picture=picture, resume=before),
        show,
        height=520,
    )


def reached(context: Context, settings: Settings) -> ClassModelFrame | None:
    """Where this session's last drawing stands, if a run of these settings passes through it."""
    frame: ClassModelFrame | None = resume.reached(SLOT, _run(context, settings))
    return None if frame is None or frame.step > settings.spec.steps else frame


def _run(context: Context, settings: Settings) -> tuple[Hashable, ...]:
    """All that two drawings must share for the one to go on from the other: everything but the number of steps."""
    return Settings(settings.objective, replace(settings.spec, steps=1)).key(context)


def _not_yet(context: Context, name: str) -> None:
    """What stands in the place of a drawing that nobody has asked for."""
    layout.sentence(f"What does {context.model.spec.label} think a **{name}** looks like?")
    st.info(
        f"Press *Draw {name}*. The picture begins grey and changes before your eyes; you can stop it, go on, and "
        "afterwards go through its steps. Any class, any setting: what you change is drawn anew.",
        icon=":material/brush:",
    )
