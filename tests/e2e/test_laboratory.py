"""The architecture and convolution pages in a real browser: the pointer on the drawing, and the keyboard everywhere."""

import pytest

pytestmark = pytest.mark.browser

FOCUSED = """() => {
  const key = document.activeElement.closest('[class*="st-key-"]')
  return key ? [...key.classList].find(name => name.startsWith("st-key-")).slice(7) : ""
}"""


def reached_by_tab(tab, first: str, most: int = 45) -> set[str]:
    """Keys of the widgets that the tab key comes to, from the experiment's picker on."""
    tab.locator(f".st-key-{first} button").first.focus()
    reached = set()
    for _ in range(most):
        tab.keyboard.press("Tab")
        reached.add(tab.evaluate(FOCUSED))
    return reached


def test_clicking_the_drawing_picks_a_block_and_the_address_keeps_it(tab, server, settle):
    tab.goto(f"{server}/architecture")
    settle(tab)
    box = tab.locator(".st-key-architecture_drawing .js-plotly-plot").bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 0.94, box["y"] + box["height"] * 0.49)
    tab.wait_for_url("**architecture_block=classifier*")
    tab.get_by_text("classifier (linear) makes 1280 → 1000").wait_for()


def test_a_block_is_picked_with_the_keyboard(tab, server, settle):
    tab.goto(f"{server}/architecture?architecture_block=stem")
    settle(tab)
    tab.locator(".st-key-architecture_block input").focus()
    tab.keyboard.type("blocks.7")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**architecture_block=blocks.7*")


def test_the_link_to_feature_maps_opens_the_blocks_layer(tab, server, settle):
    tab.goto(f"{server}/architecture?architecture_block=blocks.2")
    settle(tab)
    tab.get_by_text("See every channel in Feature maps").click()
    tab.wait_for_url("**/feature_maps?*feature_maps_layer=blocks.2.add*")


@pytest.mark.parametrize(
    ("experiment", "keys"),
    [
        (
            "Slide a filter",
            {
                "convolution_source",
                "convolution_slide_filter",
                "convolution_slide_numbers_vertical_edge",
                "convolution_stride",
                "convolution_padding",
                "convolution_slide_play",
                "convolution_slide_back",
                "convolution_slide_next",
                "convolution_slide_step_16",
            },
        ),
        ("Size", {f"convolution_size_{name}" for name in ("width", "kernel", "pad", "stride")}),
        ("Pooling", {"convolution_pooling_source", "convolution_pooling_window", "convolution_pooling_stride"}),
        ("Corner", {"convolution_corner_source", "convolution_corner", "convolution_corner_share"}),
        ("Receptive field", {"convolution_layers", "convolution_place", "convolution_add_c3", "convolution_remove"}),
        (
            "Shared weight",
            {"convolution_shared_x", "convolution_shared_w", "convolution_shared_t", "convolution_shared_step"},
        ),
        ("ReLU", {"convolution_relu_filter", "convolution_relu_numbers_vertical_edge"}),
    ],
)
def test_the_tab_key_comes_to_every_control(tab, server, settle, experiment, keys):
    tab.goto(f"{server}/convolution?convolution_experiment={experiment}")
    settle(tab)
    assert keys <= reached_by_tab(tab, "convolution_experiment")


def test_the_arrow_keys_move_the_window(tab, server, settle):
    tab.goto(f"{server}/convolution")
    settle(tab)
    tab.locator(".st-key-convolution_slide_step_16 input").first.focus()
    tab.keyboard.press("ArrowRight")
    tab.get_by_text("10 + 0 + 0 + 10 + 0 + 0 + 10 + 0 + 0 = 30").wait_for()


def test_playing_moves_the_window_and_stops_at_the_end(tab, server, settle):
    tab.goto(f"{server}/convolution")
    settle(tab)
    slider = tab.locator(".st-key-convolution_slide_step_16 input").first
    slider.focus()
    for _ in range(13):
        tab.keyboard.press("ArrowRight")
    tab.get_by_text("Window 14 of 16").wait_for()
    tab.get_by_role("button", name="Play").click()
    tab.get_by_text("Window 16 of 16").wait_for()
    tab.get_by_role("button", name="Play").wait_for()
