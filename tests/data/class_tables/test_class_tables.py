"""Class tables of every kind, read from files as their tools write them."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bohb_seg.data.class_tables.finder import find_tables, read_table
from bohb_seg.data.class_tables.fit import table_for
from bohb_seg.data.class_tables.ignored import means_nothing
from bohb_seg.data.classes import DUBAI
from bohb_seg.errors import DataError

HUGE = b"\x89PNG\r\n\x1a\n" + bytes.fromhex(
    "0000000d49484452000186a0000186a0080200000027309c9f0000001149444154"
    "789c63601805a360140c77000003e80001b3a6d3460000000049454e44ae426082"
)
"""A PNG that claims 100,000 x 100,000 pixels."""


def find_table(root):
    found = find_tables(root).found
    assert len(found) < 2
    return found[0] if found else None


def entries(table):
    return [(e.name, e.index, e.colour, e.ignore) for e in table.entries]


COLOURS = [("land", None, "#00FF00", False), ("sea", None, "#0000FF", False)]
INDICES = [("land", 0, None, False), ("sea", 1, None, False)]
BOTH = [("land", 0, "#00FF00", False), ("sea", 1, "#0000FF", False)]

TABLES = [
    ("class_dict.csv", "name,r,g,b\nland,0,255,0\nsea,0,0,255\n", COLOURS),
    ("class_dict_seg.csv", "name, r, g, b\nland, 0, 255, 0\nsea, 0, 0, 255\n", COLOURS),
    ("Class_Dict.CSV", "B;Name;G;R\n0;land;255;0\n255;sea;0;0\n", COLOURS),
    ("class_dict.csv", "land,0,255,0\nsea,0,0,255\n", COLOURS),
    ("class_dict.csv", "\ufeffName,Red,Green,Blue\r\nland,0,255,0\r\nsea,0,0,255\r\n\r\n", COLOURS),
    ("classes.csv", "id,label,color\n0,land,#00ff00\n1,sea,#0000ff\n", BOTH),
    ("_classes.csv", "Pixel Value, Class\n0, land\n1, sea\n", INDICES),
    ("labelmap.txt", "# label:color_rgb:parts:actions\nland:0,255,0::\nsea:0,0,255::\n", COLOURS),
    ("class_names.txt", "land\nsea\n", INDICES),
    ("classes.txt", "0 land\n1 sea\n", INDICES),
    ("codes.txt", "0: land\n1: sea\n", INDICES),
    (
        "class_names.txt",
        "__ignore__\n_background_\nsea\n",
        [("__ignore__", 255, None, True), ("background", 0, None, False), ("sea", 1, None, False)],
    ),
    (
        "model.emd",
        json.dumps(
            {"Framework": "arcgis.learn.models._inferencing", "Classes": [
                {"Value": 0, "Name": "land", "Color": [0, 255, 0]},
                {"Value": 1, "Name": "sea", "Color": [0, 0, 255]},
            ]}
        ),
        BOTH,
    ),
    ("dataset.json", '{"labels": {"land": 0, "sea": 1}, "numTraining": 4}', INDICES),
    ("dataset.json", '{"labels": {"0": "land", "1": "sea"}}', INDICES),
    (
        "dataset.json",
        '{"labels": {"land": 0, "sea": 1, "ignore": 2}}',
        [*INDICES, ("ignore", 2, None, True)],
    ),
    ("classes.yml", "- land\n- sea\n", INDICES),
    ("classes.yaml", "names: {0: land, 1: sea}\n", INDICES),
    ("classes.yaml", "land: [0, 255, 0]\nsea: '#0000ff'\n", COLOURS),
    ("classes.yaml", "- {name: land, index: 0}\n- {name: sea, index: 1}\n", INDICES),
    ("classes.json", '{"classes": ["land", "sea"]}', INDICES),
    (
        "classes.json",
        '{"classes": [{"title": "land", "shape": "bitmap", "color": "#00FF00"},'
        ' {"title": "sea", "shape": "bitmap", "color": "#0000FF"}], "tags": []}',
        COLOURS,
    ),
    (
        "colormap.txt",
        "# QGIS Generated Color Map Export File\nINTERPOLATION:EXACT\n"
        "0,0,255,0,255,land\n1,0,0,255,255,sea\n",
        BOTH,
    ),
    (
        "landcover.clr",
        "0 0 255 0\n1 0 0 255\n",
        [("class 0", 0, "#00FF00", False), ("class 1", 1, "#0000FF", False)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), TABLES, ids=lambda each: str(each)[:24])
@pytest.mark.parametrize("place", ["", "train/", "set/train/gt/semantic/"])
def test_every_kind_is_found_up_to_four_levels_below(tmp_path, name, text, expected, place):
    file = tmp_path / place / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")

    found = find_table(tmp_path)

    assert entries(found) == expected
    assert found.files == (file,)


@settings(max_examples=25, deadline=None)
@given(
    st.permutations(["name", "r", "g", "b"]),
    st.sampled_from([",", ";", "\t"]),
    st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=2, max_size=6, unique=True),
    st.sampled_from([str.upper, str.title, lambda text: f" {text} "]),
)
def test_columns_may_have_any_order_case_and_spaces(
    tmp_path_factory, columns, delimiter, colours, written
):
    rows = [dict(zip("rgb", c, strict=True), name=f"c{n}") for n, c in enumerate(colours)]
    lines = [map(written, columns), *([str(row[c]) for c in columns] for row in rows)]
    file = tmp_path_factory.mktemp("table") / "class_dict.csv"
    file.write_text("\n".join(map(delimiter.join, lines)))

    expected = [
        (f"c{n}", None, "#{:02X}{:02X}{:02X}".format(*c), False) for n, c in enumerate(colours)
    ]
    assert entries(find_table(file.parent)) == expected


def test_a_folder_without_a_table_has_none(tmp_path):
    (tmp_path / "train.txt").write_text("a\nb\n")
    (tmp_path / "notes.csv").write_text("a,b\n")

    assert find_table(tmp_path) is None


@pytest.mark.parametrize("name", ["labels.txt", "dataset.json", "classes.csv", "classes.json"])
def test_files_that_only_look_like_a_table_are_left_out_with_a_note(tmp_path, name):
    (tmp_path / name).write_text("image_1.png\nimage_2.png\n")

    tables = find_tables(tmp_path)

    assert tables.found == ()
    (note,) = tables.notes
    assert note.endswith("it is left out")
    assert str(tmp_path / name) in note


def test_equal_tables_of_the_parts_are_one(tmp_path):
    for part in ("train", "valid", "test"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "_classes.csv").write_text("Pixel Value, Class\n0, land\n1, sea\n")

    assert entries(find_table(tmp_path)) == INDICES


def test_tables_of_the_same_classes_complete_each_other(tmp_path):
    (tmp_path / "class_names.txt").write_text("land\nsea\n")
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nSea,0,0,255\nLand,0,255,0\n")

    assert {entry[1:3] for entry in entries(find_table(tmp_path))} == {e[1:3] for e in BOTH}


@pytest.mark.parametrize("other", ["land\nlake\n", "sea\nland\n", "land\nsea\nroad\n"])
def test_tables_that_contradict_each_other_are_one_sentence(tmp_path, other):
    (tmp_path / "class_names.txt").write_text(other)
    (tmp_path / "_classes.csv").write_text("Pixel Value, Class\n0, land\n1, sea\n")

    with pytest.raises(DataError) as raised:
        table_for(tmp_path, None, [], "default")

    assert str(raised.value) == (
        f"the class tables {tmp_path / '_classes.csv'} and {tmp_path / 'class_names.txt'}"
        " contradict each other; name one with --classes, or remove one"
    )


def test_the_projects_own_table_wins(tmp_path):
    (tmp_path / "class_names.txt").write_text("other\nnames\n")
    (tmp_path / "classes.yaml").write_text("- {name: unknown, index: 0}\n- {name: b, index: 1}\n")

    found = find_table(tmp_path)

    assert entries(found) == [("unknown", 0, None, False), ("b", 1, None, False)]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- {name: road}", "class 'road' needs a colour or an index"),
        ("- {name: road, index: 1, ignor: true}", "ignor: extra inputs are not permitted"),
    ],
)
def test_a_broken_table_of_the_projects_own_is_an_error(tmp_path, text, reason):
    (tmp_path / "classes.yaml").write_text(text)

    with pytest.raises(DataError, match=reason):
        find_table(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("t.csv", "name,r,g,b\nland,0,256,0\n", "is no colour; write it like"),
        ("t.csv", "a,b\n1,2\n", "its first line must name the columns"),
        ("t.csv", "", "it is empty"),
        ("t.json", "3", "holds no list|valid tuple"),
        ("t.emd", "{", "is not understood"),
        ("t.emd", "[]", "it has no list Classes"),
        ("dataset.json", '{"labels": {"a": [1, 2]}}', "is a region of several values"),
        ("t.bin", "x", "is not YAML|type|should be|not understood"),
        ("classes.txt", "a\n" * 300, "it names 300 classes"),
        ("classes.txt", "a\na\n", "the name a occurs twice"),
        ("labelmap.txt", "land\n", "'' is no colour"),
    ],
)
def test_a_table_that_is_named_and_is_none_is_one_sentence(tmp_path, name, text, reason):
    (tmp_path / name).write_text(text)

    with pytest.raises(DataError, match=reason):
        read_table(tmp_path / name)


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=60), st.sampled_from(["c.csv", "labelmap.txt", "c.yaml", "x.emd", "c.txt"])
)
def test_any_bytes_are_a_table_or_a_sentence(tmp_path_factory, content, name):
    file = tmp_path_factory.mktemp("any") / name
    file.write_bytes(content)

    try:
        table = read_table(file)
    except DataError as error:
        table = str(error)
    assert table.entries if not isinstance(table, str) else file.name in table


@pytest.mark.parametrize(
    "name", ["unknown", "Unlabeled", "UN-LABELLED", "void", "__ignore__", "No data", "ignore_1"]
)
def test_names_that_mean_nothing(name):
    assert means_nothing(name)


@pytest.mark.parametrize(
    "name", ["background", "other", "clutter", "none", "avoid", "unknown road"]
)
def test_names_that_mean_something(name):
    assert not means_nothing(name)


def test_ignored_names_are_told(tmp_path):
    (tmp_path / "class_names.txt").write_text("Unlabeled\nland\nsea\n")

    found = find_table(tmp_path)

    assert [entry.ignore for entry in found.entries] == [True, False, False]
    assert found.notes == ("the class Unlabeled is ignored, because of its name",)


def test_what_one_class_is_told_from_stays_a_class(tmp_path):
    (tmp_path / "class_names.txt").write_text("unlabeled\nbuilding\n")

    found = find_table(tmp_path)

    assert [entry.ignore for entry in found.entries] == [False, False]
    assert found.notes == ()


@pytest.mark.parametrize(
    ("text", "background"),
    [
        ("- {name: roof, index: 1}", (0, None)),
        ("- {name: roof, colour: '#FF0000'}", (None, "#000000")),
    ],
)
def test_a_single_class_gets_a_background(tmp_path, text, background):
    (tmp_path / "classes.yaml").write_text(text)

    found = find_table(tmp_path)

    assert [entry.name for entry in found.entries] == ["background", "roof"]
    assert (found.entries[0].index, found.entries[0].colour) == background
    assert found.notes == ("the class table names one class; all else is taken as background",)


def test_one_class_beside_ignore_is_legal(tmp_path):
    (tmp_path / "classes.yaml").write_text(
        "- {name: roof, index: 1}\n- {name: rest, index: 0, ignore: true}\n"
    )

    assert [entry.ignore for entry in find_table(tmp_path).entries] == [False, True]


def colour_mask(root, *colours):
    """A mask of equal shares of some colours 0xRRGGBB."""
    bands = [[[value & 0xFF, value >> 8 & 0xFF, value >> 16] for value in colours]] * 4
    file = root / f"{'_'.join(map(str, colours))}.png"
    cv2.imwrite(str(file), np.array(bands, np.uint8))
    return file


def test_a_table_whose_colours_no_mask_uses_is_left_out(tmp_path):
    """As the classes.json of a known data set: its colours are those of an editor."""
    (tmp_path / "classes.json").write_text('{"classes": [{"title": "sea", "color": "#50E3C2"}]}')
    mask = colour_mask(tmp_path, 0x3C1098, 0x8429F6)

    table = table_for(tmp_path, None, [mask], "default")

    assert table.entries == DUBAI
    assert table.notes == (
        f"the class table {tmp_path / 'classes.json'} is left out: it names 0% of the mask pixels,"
        " the Dubai data set 100%",
    )


COLOUR_TABLE = "name,r,g,b\nvoid,0,0,0\nland,0,255,0\nsea,0,0,255\n"


def test_rows_of_a_colour_table_beside_index_masks_are_the_indices(tmp_path):
    (tmp_path / "class_dict_seg.csv").write_text(COLOUR_TABLE)
    cv2.imwrite(str(tmp_path / "1.png"), np.array([[0, 1, 2]] * 3, np.uint8))

    table = table_for(tmp_path, None, [tmp_path / "1.png"], "default")

    assert [(entry.name, entry.index, entry.ignore) for entry in table.entries] == [
        ("void", 0, True), ("land", 1, False), ("sea", 2, False),
    ]  # fmt: skip
    assert "its rows are taken as the indices 0 to 2" in table.notes[-1]


def test_rows_are_no_indices_where_a_palette_has_the_colours(tmp_path):
    (tmp_path / "class_dict_seg.csv").write_text(COLOUR_TABLE)
    mask = Image.fromarray(np.array([[0, 1, 2, 3]] * 3, np.uint8), "P")
    mask.putpalette([0, 0, 255, 0, 255, 0, 0, 0, 0, 9, 9, 99])
    mask.save(tmp_path / "1.png")

    table = table_for(tmp_path, None, [tmp_path / "1.png"], "default")

    assert {entry.index for entry in table.entries} == {None}


def test_of_tables_that_contradict_each_other_the_one_that_fits_counts(tmp_path):
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nland,0,255,0\nsea,0,0,255\n")
    (tmp_path / "classes.json").write_text('{"a": "#010203", "b": "#040506"}')

    table = table_for(tmp_path, None, [colour_mask(tmp_path, 0x00FF00, 0x0000FF)], "default")

    assert entries(table) == COLOURS
    assert "classes.json is left out: it names 0%" in table.notes[0]


def test_without_a_table_each_colour_is_a_class(tmp_path):
    colours = 0x010203, 0x400506, 0x3C1098, 0x078009
    found = table_for(tmp_path, None, [colour_mask(tmp_path, *colours)], "default")

    assert [entry.packed_colour for entry in found.entries] == sorted(colours)
    assert found.notes == (
        f"{tmp_path} has no class table: its 4 classes are named after the values in 1 masks;"
        f" bohb-data classes {tmp_path} drafts a classes.yaml from more, in which they can be"
        " named",
    )


@pytest.mark.parametrize("content", [b"", b"no image", HUGE], ids=["empty", "none", "huge"])
def test_masks_that_cannot_be_tried_are_left_to_those_who_decode_them(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    masks = [tmp_path / "a.png", tmp_path / "missing.png"]

    assert table_for(tmp_path, None, masks, "default").entries == DUBAI
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nland,0,255,0\nsea,0,0,255\n")
    assert entries(table_for(tmp_path, None, masks, "default")) == COLOURS
