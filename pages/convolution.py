"""Convolution: a laboratory in which each step of it can be touched."""

from pages._sections.convolution import corner, field, pooling, relu, shared, size, slide, volume
from pages._shell import layout
from pages._shell.context import shared_context

EXPERIMENTS = {
    "Slide a filter": slide.draw,
    "Three channels": volume.draw,
    "Size": size.draw,
    "Pooling": pooling.draw,
    "Corner": corner.draw,
    "Receptive field": field.draw,
    "Shared weight": shared.draw,
    "ReLU": relu.draw,
}

context = shared_context()
layout.header(context, "Convolution", "What does a filter do, number by number?")
layout.sections(
    context,
    EXPERIMENTS,
    key="convolution_experiment",
    label="Experiment",
    help="From one filter to what a whole network sees; in the order in which they build on one another.",
)
