"""Opens the report in a real browser, offline, and the live view of a run that goes on."""

import pytest
from helpers.commands import wait_until
from helpers.dashboards import shown

from bohb_seg.rpc import certificates

pytestmark = pytest.mark.browser

WIDTHS = (1400, 800, 390)


@pytest.mark.parametrize("width", WIDTHS)
def test_every_image_is_there_and_nothing_sticks_out(browser, run_dir, tmp_path, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.goto((run_dir / "report" / "report.html").as_uri())
    sizes = page.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth)")
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert len(sizes) == 20
    assert min(sizes) > 0
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_link_of_the_navigation_leads_to_a_section(browser, run_dir):
    page = browser.new_page()
    page.goto((run_dir / "report" / "report.html").as_uri())
    targets = page.eval_on_selector_all("nav a", "links => links.map(l => l.hash)")
    assert len(targets) == 22
    assert all(page.locator(target).count() == 1 for target in targets)


@pytest.fixture
def open_page(browser):
    """Opens pages; wants that no script failed and that no policy was broken."""
    wrong = []

    def opened(link, **options):
        page = browser.new_context(viewport={"width": 1400, "height": 900}, **options).new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(link)
        return page

    yield opened
    for context in browser.contexts:
        context.close()
    assert [text for text in wrong if "ERR_CONNECTION_REFUSED" not in text] == []


def test_the_live_report_changes_without_moving_what_is_read(open_page, tmp_path):
    with shown(tmp_path) as live:
        live.train(2, 3)
        live.get()
        page = open_page(live.link)
        page.evaluate("window.isTheSame = true")
        page.locator("#evaluations summary").last.click()
        page.evaluate("document.getElementById('budgets').scrollIntoView({behavior: 'instant'})")
        place = "document.getElementById('budgets').getBoundingClientRect().top"
        version = "version"  # the script's own
        before = page.evaluate(place), page.evaluate(version)
        live.train(*range(4, 24))
        wait_until(lambda: page.evaluate(version) != before[1])
        tile = page.locator(".tiles li", has_text="evaluations in the search").inner_text()
        assert tile.startswith("24")
        assert abs(page.evaluate(place) - before[0]) < 2
        assert page.locator("#evaluations details[open]").count() == 1
        assert page.evaluate("window.isTheSame")
        assert min(page.eval_on_selector_all("img", "its => its.map(i => i.naturalWidth)")) > 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 1400


def test_the_link_is_needed_once_and_the_journal_goes_on_by_itself(open_page, tmp_path):
    certificates.make(tmp_path / "certs")
    with shown(tmp_path, "0.0.0.0:0", tls=tmp_path / "certs") as live:
        page = open_page(live.link, ignore_https_errors=True)
        assert page.url == live.link.partition("?")[0]
        page.reload()
        page.locator("#live a").click()
        page.evaluate("window.isTheSame = true")
        assert page.locator(".line").count() == 2 + 3 * 2
        live.train(2)
        wait_until(lambda: "trial 0-0-2" in page.locator(".line").first.inner_text())
        assert page.evaluate("window.isTheSame")
        live.process.kill()
        wait_until(lambda: "no answer" in page.locator("#live").inner_text())
        page.close()
