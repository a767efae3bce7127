"""Home: a real picture, what the network says of it, and the way to everything else."""

from pages._sections.home import cards, glance
from pages._shell import layout, navigation, text
from pages._shell.context import shared_context

context = shared_context()
layout.header(context, "Convis", navigation.HOME.question)
layout.section(context, glance.draw)
cards.draw(context)
text.explain("home")
