"""Opens the report in a real browser, offline."""

import shutil

import pytest

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (1400, 800, 390)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install --no-install-recommends chromium")
    with playwright.sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield window
        window.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_image_is_there_and_nothing_sticks_out(browser, run_dir, tmp_path, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.goto((run_dir / "report" / "report.html").as_uri())
    sizes = page.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth)")
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert len(sizes) == 18
    assert min(sizes) > 0
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_link_of_the_navigation_leads_to_a_section(browser, run_dir):
    page = browser.new_page()
    page.goto((run_dir / "report" / "report.html").as_uri())
    targets = page.eval_on_selector_all("nav a", "links => links.map(l => l.hash)")
    assert len(targets) == 22
    assert all(page.locator(target).count() == 1 for target in targets)
