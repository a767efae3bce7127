"""Class models: what the network thinks a class looks like, drawn by gradient ascent."""

import streamlit as st

from convis_core import class_models
from convis_core.errors import ConvisError
from convis_core.figures.scores import percent
from pages._sections.class_models import draw, inside, others, pair
from pages._shell import layout, navigation, text
from pages._shell.context import Context, shared_context

SECTIONS = {
    "Draw a class": draw.draw,
    "A/B": pair.draw,
    "Is it one to anyone else?": others.draw,
    "Inside the network": inside.draw,
}


@st.fragment
def explore(context: Context) -> None:
    """The section that is open; closed ones cost nothing."""
    chosen = st.segmented_control(
        "Section",
        list(SECTIONS),
        default="Draw a class",
        required=True,
        key="class_models_view",
        bind="query-params",
        persist_state="session",
        label_visibility="collapsed",
    )
    try:
        SECTIONS[chosen or "Draw a class"](context)
    except ConvisError as error:
        st.error(str(error), icon=":material/error:")


context = shared_context()
st.html(navigation.ASSETS / "css" / "class_models.css")
layout.header(context, "Class models", "What does the network think a class looks like? Let it draw one.")
explore(context)
modern = class_models.MODERN
text.explain(
    "class_models",
    {
        "network": context.model.spec.label,
        "classes": f"{len(context.model.categories):,}",
        "rate": f"{modern.learning_rate:g}",
        "ramp": str(modern.ramp),
        "decay": f"{modern.spectrum.decay:g}",
        "at_once": str(modern.steps_at_once),
        "class": context.target_name,
        "probability": percent(context.probability),
        "logit": f"{context.logit:.2f}",
    },
)
