"""The page about a data set, as text; test_browser.py opens it."""

import re
import shlex
from html import unescape

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bohb_seg.commands import data
from bohb_seg.commands.looking import page
from bohb_seg.data.looking.outlook import outlook


def text_of(html):
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html.partition("<body>")[2])))


def sections(html):
    return dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, re.DOTALL))


def pictures(html):
    return len(re.findall(r'<img src="data:image/jpeg;base64,', html))


@pytest.fixture
def odd(tiles):
    image, labels = tiles.add("Tile 2", "black", (40, 40))
    tiles.add("Tile 2", "black", image=image // 64, labels=labels)
    mask = tiles.mask(labels)
    mask[:10, :10] = (1, 2, 3)
    tiles.add("Tile 3", "strange", mask=mask)
    return tiles


def test_the_page_says_what_was_found(odd):
    known = outlook(odd.settings())

    html = page.render(known, "bohb-data check")

    found = sections(html)
    assert list(found) == ["warnings", "classes", "parts", "map", "pictures", "files", "settings"]
    words = text_of(html)
    assert "10 images with masks 4 groups 5 classes 90 patches of 16 pixels" in words
    for name, share in known.data.audit.frequencies.items():
        assert f"{name} {share:.1%}".replace("%", " %") in words
    for part, patches in known.data.parts.items():
        assert re.search(rf"{part} \d+ {len(patches)} ", words)
    assert "size in pixels images 40 × 40 10" in words
    assert "8 bits, whole numbers 10" in words
    assert "3: red, green, blue 10" in words
    assert known.data.fingerprint in words


def test_every_warning_has_the_pictures_of_its_images(odd):
    known = outlook(odd.settings())
    html = sections(page.render(known, ""))["warnings"]

    items = dict(re.findall(r"<li><p>(.*?)</p>(.*?)</li>", html, re.DOTALL))

    warnings = {text_of(f"<body>{text}"): pictures(rest) for text, rest in items.items()}
    assert list(warnings) == [*known.data.audit.warnings]
    for warning, count in warnings.items():
        assert count == ("nearly black" in warning or "of no class" in warning)
    assert 'alt="Tile 2/images/black.png"' in html
    assert 'alt="Tile 3/images/strange.png"' in html


def test_the_page_fetches_nothing_and_runs_nothing(odd):
    html = page.render(outlook(odd.settings()), "")

    assert "<script" not in html
    addresses = re.findall(r'(?:src|href)="([^"]*)"|url\(([^)]*)\)', html)
    assert {"".join(each)[:5] for each in addresses} <= {
        "data:", "#reas", "#warn", "#clas", "#part", "#map", "#pict", "#file", "#sett", "#stri",
        "#dots",
    }  # fmt: skip


def test_text_from_outside_is_text(folder):
    for group in ("<b>1</b>", "2", "3"):
        folder.add(group, 'a"><script>alert(1)</script>&amp;')
    (folder.root / "classes.yaml").write_text(
        '- {name: "<i>one", colour: "#3C1098"}\n- {name: two, colour: "#8429F6"}\n'
        '- {name: x, colour: "#6EC1E4"}\n- {name: y, colour: "#FEDD3A"}\n'
        '- {name: z, colour: "#E2A929"}\n'
    )

    html = page.render(outlook(folder.settings()), "check '<u>'")

    assert not re.search("<script|<i>one|<u>|<b>1", html)
    assert "&lt;i&gt;one" in html
    assert "&lt;u&gt;" in html
    assert "&lt;b&gt;1" in html


@pytest.mark.parametrize("place", ["Tile 1/images/a.png", "Tile 1/masks/a.png"])
def test_the_page_of_refused_files_says_why_first(tiles, tmp_path, place):
    (tiles.root / place).write_bytes(b"")
    html = tmp_path / "page.html"

    result = CliRunner().invoke(
        data.command,
        ["check", str(tiles.root), "--cache-dir", str(tiles.cache), "--html", str(html)],
    )

    assert "cannot be read: the file is empty" in str(result.exception)
    words = text_of(html.read_text("utf-8"))
    assert re.search("cannot be trained on as they are: Tile 1/images/a.png.* the file is", words)
    found = sections(html.read_text("utf-8"))
    assert list(found) == ["reason", "classes", "pictures", "files", "settings"]
    assert pictures(found["reason"]) == ("masks" in place)
    assert pictures(found["pictures"]) >= 3
    assert f"images 40 × 40 {8 if 'masks' in place else 7}" in words


def test_the_page_of_data_refused_for_their_colours_shows_the_worst(tiles):
    tiles.add("Tile 3", mask=np.full((40, 40, 3), 7, np.uint8))

    found = sections(page.render(outlook(tiles.settings()), ""))

    assert list(found) == ["reason", "classes", "pictures", "files", "settings"]
    assert "12.5% of the mask pixels are of no class" in found["reason"]
    assert 'alt="Tile 3/images/a.png"' in found["reason"]


def test_the_page_of_nothing_says_so(tmp_path):
    html = tmp_path / "page.html"

    result = CliRunner().invoke(data.command, ["check", str(tmp_path), "--html", str(html)])

    assert str(result.exception).rstrip(".") in text_of(html.read_text("utf-8"))
    assert list(sections(html.read_text("utf-8"))) == ["reason", "settings"]


def test_the_command_can_be_typed_again(tiles, tmp_path):
    html = tmp_path / "a page.html"
    said = ["check", str(tiles.root), "--patch-size", "16", "--html", str(html)]
    said[2:2] = ["--cache-dir", str(tiles.cache), "--split", "image", "--bands", "1,2,3", "--align"]
    assert CliRunner().invoke(data.command, said).exit_code == 0
    first = html.read_text("utf-8")
    told = shlex.split(unescape(re.search("<pre.*?<code>(.*?)</code>", first, re.DOTALL)[1]))

    assert told[0] == "bohb-data"
    assert sorted(told[1:]) == sorted(said)
    assert CliRunner().invoke(data.command, told[1:]).exit_code == 0

    pattern = r"Written \S+ \S+ UTC"
    assert re.sub(pattern, "", html.read_text("utf-8")) == re.sub(pattern, "", first)


def test_check_prints_the_same_with_a_page(tiles, tmp_path):
    words = ["check", str(tiles.root), "--cache-dir", str(tiles.cache), "--patch-size", "16"]
    with_page = CliRunner().invoke(data.command, [*words, "--json", "--html", str(tmp_path / "p")])
    without = CliRunner().invoke(data.command, [*words, "--json"])

    assert with_page.stdout == without.stdout
    assert f"wrote {tmp_path / 'p'}" in with_page.stderr


def test_a_picture_is_in_its_colours(tiles):
    known = outlook(tiles.settings())
    colours = np.full((9, 9, 3), (200, 100, 10), np.uint8)

    content = page._png(colours).partition(",")[2]

    decoded = cv2.imdecode(np.frombuffer(page.base64.b64decode(content), np.uint8), 1)
    assert known.data
    assert decoded[0, 0].tolist() == [10, 100, 200]
