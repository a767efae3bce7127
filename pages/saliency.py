"""Saliency: which pixels move the score of a class, and whether to believe it."""

from pages._sections.saliency import compare, map, sanity, segment, strip, walk
from pages._shell import layout, text
from pages._shell.context import shared_context

SECTIONS = {
    "One map": map.draw,
    "Filmstrip": strip.draw,
    "Compare": compare.draw,
    "Why smooth?": walk.draw,
    "Segment": segment.draw,
    "Should you believe it?": sanity.draw,
}

layout.stylesheet("saliency")
context = shared_context()
layout.header(context, "Saliency", "Which pixels would change the score if they changed a little?")
layout.sections(context, SECTIONS, key="saliency_view")
text.explain("saliency")
