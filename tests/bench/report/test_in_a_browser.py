"""A report in headless Chromium: the slider, keys, narrow and dark screens, and that nothing is fetched or run."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from browser import Browser, missing_browser, open_browser
from dirac_enhance.bench.report.scenes import Scene

Render = Callable[..., str]
Colour = tuple[int, int, int]

_MISSING = missing_browser()
pytestmark = pytest.mark.skipif(_MISSING is not None, reason=str(_MISSING))

BASE, STEPS_1, STEPS_100 = (0, 0, 255), (0, 200, 0), (255, 128, 0)
"""As in the fixture `scene`."""

_RANGE = ".stage input[type=range]"
_END, _HOME, _LEFT = "\ue010", "\ue011", "\ue012"
"""Keys, as WebDriver writes them."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with open_browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, render: Render, scene: Scene, tmp_path: Path) -> Browser:
    """A page with one scene, open in a wide, light window."""
    browser.emulate(width=1200, height=900, scheme="light")
    return _open(browser, render(scene), tmp_path)


def _open(browser: Browser, text: str, folder: Path) -> Browser:
    (folder / "report.html").write_text(text, encoding="utf-8")
    browser.log()  # what earlier pages left
    browser.open(folder / "report.html")
    browser.evaluate("return Promise.all([...document.images].map((image) => image.decode()))")
    return browser


def _picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _row(browser: Browser) -> list[object]:
    """Colours of the stage at 10, 30, 70 and 90 % of its width, below its badges and above its handle."""
    seen = _picture(browser.screenshot(".stage"))
    return [seen.getpixel((seen.width * share // 100, seen.height * 3 // 4)) for share in (10, 30, 70, 90)]


def test_slider_uncovers_the_base_and_the_enhanced_picture(page: Browser) -> None:
    assert _row(page) == [BASE, BASE, STEPS_100, STEPS_100]

    width = page.evaluate("return document.querySelector('.stage').clientWidth")
    page.drag(_RANGE, start=(0, 0), end=(-width * 3 // 10, 0))
    assert _row(page) == [BASE, STEPS_100, STEPS_100, STEPS_100]

    page.drag(_RANGE, start=(-width * 3 // 10, 0), end=(width * 3 // 10, 5))
    assert _row(page) == [BASE, BASE, BASE, STEPS_100]


def test_slider_follows_the_keyboard_and_says_where_it_is(page: Browser) -> None:
    page.press(_RANGE, _HOME)
    assert _row(page) == [STEPS_100] * 4

    page.press(_RANGE, _END)
    assert _row(page) == [BASE] * 4

    page.press(_RANGE, _LEFT * 40)
    assert _row(page) == [BASE, BASE, STEPS_100, STEPS_100]
    said = page.evaluate(f"return document.querySelector('{_RANGE}').getAttribute('aria-valuetext')")
    assert said == "60 % jpeg 10, 40 % steps 100"


def test_any_version_can_be_on_either_side(page: Browser) -> None:
    page.click("input[aria-label='steps 1 on the left']")
    assert _row(page) == [STEPS_1, STEPS_1, STEPS_100, STEPS_100]

    page.click("input[aria-label='steps 1 on the right']")
    assert _row(page) == [STEPS_1] * 4
    assert page.evaluate("return document.querySelector('.badge.right').textContent") == "steps 1"


def test_pixels_of_a_crop_are_enlarged_as_squares(page: Browser) -> None:
    seen = page.evaluate("const s = document.querySelector('.stage'); return [s.clientWidth, s.clientHeight]")

    assert seen == [6 * 64, 6 * 48]


def test_differences_take_the_place_of_values(page: Browser) -> None:
    shown = "return [...document.querySelectorAll('.as-value,.as-gain')].map((e) => e.className + e.checkVisibility())"
    assert page.evaluate(shown) == ["as-valuetrue", "as-gainfalse"] * 2

    page.click("[data-view=as-gain]")
    assert page.evaluate(shown) == ["as-valuefalse", "as-gaintrue"] * 2


def test_entry_of_the_legend_brings_its_curve_forward(page: Browser) -> None:
    dimmed = "return document.querySelectorAll('.as-value .dimmed').length"
    assert page.evaluate(dimmed) == 0

    page.press(".legend li:nth-child(2) button", " ")
    assert page.evaluate(dimmed) == 4 + 3  # all but one of five curves of PSNR and four of LPIPS


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize(("scheme", "brightness"), [("light", 200), ("dark", 50)])
def test_page_fits_its_window_in_either_scheme(page: Browser, width: int, scheme: str, brightness: int) -> None:
    page.emulate(width=width, height=800, scheme=scheme)

    assert page.evaluate("return document.documentElement.scrollWidth") == width
    ground = _picture(page.screenshot()).convert("L").getpixel((3, 3))
    assert isinstance(ground, int | float)
    assert ground > brightness if scheme == "light" else ground < brightness
    assert _row(page) == [BASE, BASE, STEPS_100, STEPS_100]
    small = "return [...document.querySelectorAll('.chart text')].map((e) => e.getBoundingClientRect().height)"
    assert min(height for height in page.evaluate(small) if height) > 9
    assert page.log() == []


def test_hostile_names_do_nothing(browser: Browser, render: Render, scene: Scene, tmp_path: Path) -> None:
    hostile = "</script><script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
    versions = tuple(replace(version, label=hostile, note=hostile) for version in scene.versions)

    _open(browser, render(replace(scene, name=hostile, versions=versions), title=hostile), tmp_path)

    assert browser.evaluate("return document.title") == hostile
    assert browser.evaluate("return document.querySelector('.badge.left').textContent") == hostile
    assert browser.evaluate("return document.querySelectorAll('img').length") == len(versions)
    assert browser.log() == []


def test_policy_stops_a_script_and_a_request_that_got_in_all_the_same(
    browser: Browser, render: Render, tmp_path: Path
) -> None:
    broken = render().replace("<main>", "<main><script>document.title = 'broken'</script><img src='file:///x.png'>")

    (tmp_path / "report.html").write_text(broken, encoding="utf-8")
    browser.open(tmp_path / "report.html")

    assert browser.evaluate("return document.title") == "A report"
    assert sum("Content Security Policy" in message for message in browser.log()) == 2


def test_page_is_complete_without_its_script(browser: Browser, render: Render, scene: Scene, tmp_path: Path) -> None:
    text = render(scene).replace("<script>", "<script>//")  # another text than the policy lets run

    _open(browser, text, tmp_path)

    seen = "return [...document.querySelectorAll('.version img')].map((image) => image.checkVisibility())"
    assert browser.evaluate(seen) == [True] * 5
    assert browser.evaluate("return document.querySelector('.stage input').checkVisibility()") is False
