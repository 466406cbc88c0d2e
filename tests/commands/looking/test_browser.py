"""Opens the page about a data set in a real browser, offline."""

import pytest

from bohb_seg.commands.looking import page
from bohb_seg.data.looking.outlook import outlook

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("refused", [False, True])
def test_the_page_is_whole_at_any_width(browser, tiles, tmp_path, refused):
    tiles.add("Tile 1", "a" * 90, (40, 40))
    if refused:
        (tiles.root / "Tile 1/images/a.png").write_bytes(b"")
    place = tmp_path / "page.html"
    page.write(outlook(tiles.settings()), f"bohb-data check {'x' * 300}", place)

    for width, scheme in ((1400, "light"), (800, "dark"), (400, "light")):
        shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        wrong = []
        shown.on("requestfailed", lambda request, wrong=wrong: wrong.append(request.url))
        shown.on("console", lambda message, wrong=wrong: wrong.append(message.text))
        shown.goto(place.as_uri())
        sizes = shown.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth)")
        assert min(sizes) > 0
        assert wrong == []
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        for target in shown.eval_on_selector_all("nav a", "links => links.map(l => l.hash)"):
            assert shown.locator(target).count() == 1
        shown.close()


def test_the_keyboard_reaches_all_that_scrolls(browser, tiles, tmp_path):
    place = tmp_path / "page.html"
    page.write(outlook(tiles.settings()), "bohb-data check", place)
    shown = browser.new_page(viewport={"width": 400, "height": 900})
    shown.goto(place.as_uri())

    unreachable = shown.evaluate(
        "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).length"
    )

    assert unreachable == 0
    assert shown.evaluate("document.documentElement.lang") == "en"
    shown.close()
