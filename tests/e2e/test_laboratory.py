"""The architecture and convolution pages in a real browser: the pointer on the drawing, and the keyboard everywhere."""

import re
from collections.abc import Sequence
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

FOCUSED = """() => {
  const focused = document.activeElement
  const holder = focused.closest('[class*="st-key-"]')
  const key = holder ? [...holder.classList].find(name => name.startsWith("st-key-")).slice(7) : ""
  const label = focused.tagName == "CANVAS" ? "table" : focused.getAttribute("aria-label") || focused.innerText || ""
  return [key, label, focused.tagName]
}"""
KEYS = {"Enter", "Space", "ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown", "End", "Control+A"}
ALL = "Control+A"


def reached(tab: Page, key: str) -> bool:
    """Whether a control, or a link or heading that says this, has the focus; its help button does not count."""
    held, label, kind = tab.evaluate(FOCUSED)
    if not held and kind in ("A", "SUMMARY", "CANVAS"):
        return key in label
    return held == key and not label.startswith("Help for ")


def tab_to(tab: Page, key: str, *, back: bool = False, most: int = 90) -> None:
    """Press the tab key, and nothing else, until a control is reached."""
    for _ in range(most):
        if reached(tab, key):
            return
        tab.keyboard.press("Shift+Tab" if back else "Tab")
    pytest.fail(f"The tab key does not reach {key}.")


def choose(tab: Page, key: str, option: str, *, back: bool = False) -> None:
    """Reach a row of options with the tab key, one of them with the arrows, and choose it."""
    tab_to(tab, key, back=back)
    for arrow in ["ArrowRight"] * 8 + ["ArrowLeft"] * 8:
        if tab.evaluate(FOCUSED)[1] == option:
            tab.keyboard.press("Space")
            return
        tab.keyboard.press(arrow)
    pytest.fail(f"The arrow keys do not reach {option}.")


def use(tab: Page, key: str, *presses: str, back: bool = False) -> None:
    """Reach a control with the tab key and press keys there; what is no key's name is typed."""
    tab_to(tab, key, back=back)
    for press in presses:
        if press in KEYS:
            tab.keyboard.press(press)
        else:
            tab.keyboard.type(press)


def sees(tab: Page, text: str) -> None:
    """Wait until a text, or the address with a part such as "architecture_block=stem", is there."""
    if "=" in text and " " not in text:
        tab.wait_for_url(f"**{text}*")
    else:
        tab.get_by_text(text).first.wait_for()


def test_clicking_the_drawing_picks_a_block_and_the_address_keeps_it(tab, server, settle):
    tab.goto(f"{server}/architecture")
    settle(tab)
    box = tab.locator(".st-key-architecture_drawing .js-plotly-plot").bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 0.94, box["y"] + box["height"] * 0.49)
    tab.wait_for_url("**architecture_block=classifier*")
    tab.get_by_text("classifier (linear) makes 1280 → 1000").wait_for()


def test_the_views_of_the_architecture_by_keyboard_alone(tab, server, settle):
    tab.goto(f"{server}/architecture")
    settle(tab)
    choose(tab, "architecture_view", "All layers")
    sees(tab, "All 150 layers of EfficientNet-Lite0")
    choose(tab, "architecture_view", "Where the cost is")
    sees(tab, "classifier alone holds 27.5 % of the parameters")
    use(tab, "architecture_block", "blocks.7", "Enter")
    sees(tab, "architecture_block=blocks.7")
    choose(tab, "architecture_view", "Compare two", back=True)
    sees(tab, "VGG16 has 29.7 times the parameters")
    use(tab, "architecture_other", "AlexNet", "Enter")
    sees(tab, "AlexNet has 13.1 times the parameters")
    choose(tab, "architecture_view", "Drawing", back=True)
    sees(tab, "blocks.7 (residual) makes")


def test_a_block_its_layer_and_the_way_to_its_maps_by_keyboard_alone(tab, server, settle):
    tab.goto(f"{server}/architecture")
    settle(tab)
    use(tab, "architecture_block", "blocks.2", "Enter")
    sees(tab, "blocks.2 (residual) makes 24 × 56 × 56")
    use(tab, "architecture_layer_blocks-2", "depthwise.conv", "Enter")
    sees(tab, "depthwise convolution, 144 × 56 × 56")
    use(tab, "Go deeper", "Enter")
    sees(tab, "What is counted.")
    use(tab, "How to read this", "Space", back=True)
    sees(tab, "A box is what a block hands on.")
    use(tab, "See all its channels", "Enter", back=True)
    tab.wait_for_url("**/feature_maps?*feature_maps_layer=blocks.2.add*")


def test_the_table_of_layers_by_keyboard_alone(tab, server, settle):
    tab.goto(f"{server}/architecture?architecture_view=All+layers")
    settle(tab)
    tab_to(tab, "architecture_csv")
    with tab.expect_download() as download:
        tab.keyboard.press("Enter")
    assert download.value.suggested_filename == "layers-efficientnet_lite0.csv"


def test_the_table_is_sorted_and_walked_by_keyboard_alone(tab, server, settle):
    tab.goto(f"{server}/architecture?architecture_view=All+layers")
    settle(tab)
    use(tab, "architecture_order", "multiply-adds", "Enter")
    sees(tab, "architecture_order=multiply-adds")
    settle(tab)
    # Entered from above the first column is looked at, from below the last.
    tab_to(tab, "architecture_view", back=True)
    tab_to(tab, "table")
    tab.keyboard.press("ArrowDown")
    chosen = tab.locator('td[aria-selected="true"]')
    chosen.filter(has_text="blocks.").wait_for(state="attached")
    for _ in range(9):
        tab.keyboard.press("ArrowRight")
    chosen.filter(has_text="19267584").wait_for(state="attached")


EXPERIMENTS = (
    ("Three channels", "27 products, summed"),
    ("Size", "It does not divide."),
    ("Pooling", "6 × 6 cells become 3 × 3"),
    ("Corner", "It is positive at 1 place of 36"),
    ("Receptive field", "After 6 layers one cell sees 16 × 16 pixels"),
    ("Shared weight", "The sums equal autograd's gradient"),
    ("ReLU", "of the cells were negative"),
)


def test_every_experiment_is_opened_by_keyboard_alone(tab, server, settle):
    tab.goto(f"{server}/convolution")
    settle(tab)
    for name, seen in EXPERIMENTS:
        choose(tab, "convolution_experiment", name)
        sees(tab, seen)


# What is pressed at each control, one after the other in the same tab, and what is to be seen then.
Steps = Sequence[tuple[str, tuple[str, ...], str]]
CONTROLS: dict[str, tuple[dict[str, str], Steps]] = {
    "grid, filter, window": (
        {"convolution_experiment": "Slide a filter"},
        (
            ("convolution_slide_next", ("Enter",), "Window 2 of 16"),
            ("convolution_slide_back", ("Space",), "Window 1 of 16"),
            ("convolution_slide_step_16", ("ArrowRight",), "Window 2 of 16"),
            ("convolution_source", ("A slope", "Enter"), "8 + 0 − 4 + 10 + 0 − 6 + 8 + 0 − 8 = 8"),
            ("convolution_slide_filter", ("Sobel", "Enter"), "8 + 0 − 4 + 20 + 0 − 12 + 8 + 0 − 8 = 12"),
            ("convolution_slide_numbers_sobel", (ALL, "1 0 / 0 1", "Enter"), "Sobel, edited"),
            ("convolution_stride", ("ArrowUp",), "of 9: row"),
            ("convolution_padding", ("ArrowUp",), "of 16: row"),
        ),
    ),
    "the network's own filter": (
        {"convolution_experiment": "Slide a filter", "convolution_slide_filter": "The network's own"},
        (
            ("convolution_slide_number", ("ArrowUp",), "filter 1 of EfficientNet-Lite0."),
            ("convolution_slide_step_484", ("ArrowLeft",), "Window 241 of 484"),
        ),
    ),
    "three channels": (
        {"convolution_experiment": "Three channels"},
        (
            ("convolution_volume_step_18", ("ArrowRight", "ArrowRight"), "Window 3 of 18"),
            ("convolution_seed", ("ArrowUp",), "convolution_seed=1"),
            ("How to read this", ("Enter",), "Each filter is as deep as the picture"),
            ("convolution_volume_next", ("Enter",), "Window 4 of 18"),
            ("convolution_volume_back", ("Space",), "Window 3 of 18"),
            ("convolution_volume_step_18", ("End",), "Window 18 of 18"),
        ),
    ),
    "size": (
        {"convolution_experiment": "Size"},
        (
            ("convolution_size_width", ("ArrowRight",), "It divides: 5 windows fit exactly"),
            ("convolution_size_kernel", ("ArrowRight",), "Convolutions round down to 4 and never look"),
            ("convolution_size_pad", ("ArrowRight",), "Convolutions round down to 5;"),
            ("convolution_size_stride", ("ArrowLeft",), "It divides: 10 windows fit exactly"),
        ),
    ),
    "pooling": (
        {"convolution_experiment": "Pooling"},
        (
            ("convolution_pooling_window", ("ArrowRight",), "6 × 6 cells become 2 × 2"),
            ("convolution_pooling_stride", ("ArrowLeft",), "6 × 6 cells become 4 × 4"),
            ("convolution_pooling_source", ("ArrowRight", "Space"), "96 × 96 cells become 94 × 94"),
        ),
    ),
    "corner": (
        {"convolution_experiment": "Corner"},
        (
            ("convolution_corner_share", ("ArrowLeft",), "horizontal − 28.5)"),
            ("convolution_corner", ("ArrowRight", "Space"), "top right corners"),
            ("convolution_corner_source", ("ArrowRight", "Enter"), "of 8836"),
        ),
    ),
    "receptive field": (
        {"convolution_experiment": "Receptive field"},
        (
            ("convolution_place", ("ArrowRight",), "convolution_place=51"),
            ("convolution_layers", ("End", " c3", "Enter"), "one cell sees 24 × 24 pixels"),
            ("convolution_add_c3", ("Enter",), "one cell sees 32 × 32 pixels"),
            ("convolution_add_c5", ("Space",), "one cell sees 48 × 48 pixels"),
            ("convolution_add_c3s2", ("Enter",), "its neighbour looks 8 pixels further on"),
            ("convolution_add_c3d2", ("Enter",), "one cell sees 88 × 88 pixels"),
            ("convolution_add_p2", ("Enter",), "its neighbour looks 16 pixels further on"),
            ("convolution_remove", ("Enter",), "its neighbour looks 8 pixels further on"),
            ("convolution_vgg", ("Enter",), "one cell sees 212 × 212 pixels"),
        ),
    ),
    "shared weight": (
        {"convolution_experiment": "Shared weight"},
        (
            ("convolution_shared_x", (ALL, "0 0 1 2 2 0", "Enter"), "The loss is 2.62."),
            ("convolution_shared_w", (ALL, "1 0 0", "Enter"), "The loss is 2.5."),
            ("convolution_shared_t", (ALL, "0 0 1 1", "Enter"), "The loss is 0.5."),
            ("convolution_shared_rate", ("ArrowRight",), "convolution_shared_rate=0.06"),
            ("convolution_shared_step", ("Enter",), "The loss is 0.21."),
            ("convolution_shared_reset", ("Space",), "The loss is 1.62."),
        ),
    ),
    "ReLU": (
        {"convolution_experiment": "ReLU"},
        (
            ("convolution_relu_filter", ("Box blur", "Enter"), "0.0 % of the cells were negative"),
            ("convolution_relu_numbers_blur", (ALL, "-1", "Enter"), "100.0 % of the cells were negative"),
        ),
    ),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_of_the_laboratory_by_keyboard_alone(tab, server, settle, name):
    query, steps = CONTROLS[name]
    tab.goto(f"{server}/convolution?{urlencode(query)}")
    settle(tab)
    for key, presses, seen in steps:
        use(tab, key, *presses)
        sees(tab, seen)
        settle(tab)


@pytest.mark.parametrize(("experiment", "prefix"), [("Slide a filter", "slide"), ("Three channels", "volume")])
def test_playing_begins_and_ends_by_keyboard_alone(tab, server, settle, experiment, prefix):
    tab.goto(f"{server}/convolution?{urlencode({'convolution_experiment': experiment})}")
    settle(tab)
    use(tab, f"convolution_{prefix}_play", "Enter")
    # How many steps are seen depends on the machine; that the window moves does not.
    tab.get_by_text(re.compile(r"Window ([3-9]|1\d) of")).wait_for()
    # The focus is still on the button, although it has been drawn again several times.
    tab.keyboard.press("Space")
    tab.get_by_role("button", name="Play").wait_for()


def test_playing_moves_the_window_and_stops_at_the_end(tab, server, settle):
    tab.goto(f"{server}/convolution")
    settle(tab)
    use(tab, "convolution_slide_step_16", *["ArrowRight"] * 13)
    tab.get_by_text("Window 14 of 16").wait_for()
    tab.get_by_role("button", name="Play").click()
    tab.get_by_text("Window 16 of 16").wait_for()
    tab.get_by_role("button", name="Play").wait_for()
