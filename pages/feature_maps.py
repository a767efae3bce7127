"""Feature maps and filters: every layer, every channel, on the picture of the context."""

from pages._sections.feature_maps import ablation, channel, filters, layers, numbers, pickers, pooling, sheet
from pages._shell import layout, text
from pages._shell.context import shared_context

VIEWS = {
    pickers.LAYERS: layers.draw,
    pickers.SHEET: sheet.draw,
    pickers.CHANNEL: channel.draw,
    pickers.ABLATION: ablation.draw,
    pickers.FILTERS: filters.draw,
    pickers.POOLING: pooling.draw,
}

context = shared_context()
layout.header(context, "Feature maps", "What does every layer make of this picture, channel by channel?")
layout.sections(context, VIEWS, key=pickers.VIEW, label="View", beside=pickers.beside)
text.explain("feature_maps", numbers.numbers(context))
