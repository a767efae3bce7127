"""Occlusion: hide a part of the picture and see what the network makes of the rest."""

import streamlit as st

from pages._sections.occlusion import explore
from pages._shell import layout, navigation
from pages._shell.context import shared_context

context = shared_context()
st.html(navigation.ASSETS / "css" / "occlusion.css")
layout.header(context, "Occlusion", "Which part matters? Hide it and see.")
layout.section(context, explore.draw)
