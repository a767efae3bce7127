"""Entry of the dashboard: page config, the shared context in the sidebar, and the page asked for."""

import streamlit as st

from pages._shared import context, layout, navigation

st.set_page_config(
    page_title="Convis",
    page_icon=str(navigation.ASSETS / "brand" / "mark.svg"),
    layout="wide",
    initial_sidebar_state="expanded",
)
layout.apply_style()
page = navigation.navigate()
context.choose()
page.run()
