"""Entry of the dashboard: page config, the shared context in the sidebar, and the page asked for."""

import streamlit as st

from convis_core.runtime import memory
from pages._shell import context, garbage, layout, navigation

memory.keep_freed()
layout.apply_style()
page = navigation.navigate()
st.set_page_config(page_title=f"{page.title} · Convis")
context.choose()
page.run()
garbage.settle()
