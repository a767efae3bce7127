"""Architecture: what the network is made of, and what each part costs."""

from pages._sections.architecture import compare, costs, drawing, parts, table
from pages._shell import layout, text
from pages._shell.context import shared_context

VIEWS = {
    "Drawing": drawing.draw,
    "All layers": table.draw,
    "Where the cost is": costs.draw,
    "Compare two": compare.draw,
}

context = shared_context()
layout.header(context, "Architecture", "What is the network made of, and what does each part of it cost?")
layout.sections(
    context,
    VIEWS,
    key="architecture_view",
    label="View",
    help="The network as a drawing, as a table, by its costs, or beside another one.",
)
text.explain("architecture", parts.numbers(context))
