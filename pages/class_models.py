"""Class models: what the network thinks a class looks like, drawn by gradient ascent."""

from pages._sections.class_models import draw, inside, numbers, others, pair
from pages._shell import layout, text
from pages._shell.context import shared_context

SECTIONS = {
    "Draw a class": draw.draw,
    "A/B": pair.draw,
    "Is it one to anyone else?": others.draw,
    "Inside the network": inside.draw,
}

context = shared_context()
layout.stylesheet("class_models")
layout.header(context, "Class models", "What does the network think a class looks like? Let it draw one.")
layout.sections(context, SECTIONS, key="class_models_view")
text.explain("class_models", numbers.numbers(context))
