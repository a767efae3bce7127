"""Occlusion: hide a part of the picture and see what the network makes of the rest."""

from pages._sections.occlusion import explore
from pages._shell import layout
from pages._shell.context import shared_context

context = shared_context()
layout.stylesheet("occlusion")
layout.header(context, "Occlusion", "Which part matters? Hide it and see.")
layout.section(context, explore.draw)
