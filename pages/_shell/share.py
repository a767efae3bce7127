"""A button that copies the address: the address is the state."""

import streamlit as st

_HTML = """
<button type="button" class="copy"><span class="label">Copy link to this view</span></button>
"""

_CSS = """
.copy {
  width: 100%; min-height: 2.5rem; padding: 0.25rem 0.75rem; font: inherit; cursor: pointer;
  color: var(--st-text-color); background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
}
.copy:hover, .copy:focus-visible { border-color: var(--st-primary-color); color: var(--st-primary-color); }
"""

# Outside https and localhost browsers refuse the clipboard; a hidden text field still works there.
_JS = """
export default function ({ parentElement }) {
  const button = parentElement.querySelector(".copy")
  const label = button.querySelector(".label")
  const still = label.textContent
  const byHand = (text) => {
    const field = document.createElement("textarea")
    field.value = text
    document.body.append(field)
    field.select()
    const copied = document.execCommand("copy")
    field.remove()
    return copied
  }
  button.onclick = async () => {
    const text = window.location.href
    let copied = true
    try { await navigator.clipboard.writeText(text) } catch { copied = byHand(text) }
    label.textContent = copied ? "Copied" : "Copy it from the address bar"
    window.setTimeout(() => { label.textContent = still }, 1600)
  }
}
"""

_button = st.components.v2.component("convis_copy_link", html=_HTML, css=_CSS, js=_JS)


def link_button() -> None:
    """Copy the browser's current address, which holds everything that the page shows."""
    _button(key="copy_link")
