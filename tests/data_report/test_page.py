"""The page: complete, self-contained, of bounded size, and unmoved by hostile names."""

import html
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from melodygan.data_report.sections import fair_shares
from melodygan.pipeline.errors import UserError

VOID = {"meta", "link", "br", "img", "input"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</td></table></main><h1>",
    "&lt;b&gt; &#x3c;",
    "abc\u202e3pm.exe\u2066",
    "caf\udce9.mp3\x00\x1b[31m",
    "ش" * 127,
    "W" * 255,
    "$subtitle ${content} %s {0}",
    "e" + "\u0301" * 120,
]


class Structure(HTMLParser):
    """The page's tags in order, its attributes that load something, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.loads: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(key for key, _ in attrs)))
        self.loads += [value or "" for key, value in attrs if key in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] not in ("style", "title"):
            self.text += f"{data} "


def words(page: str) -> str:
    """The visible text with single spaces."""
    return re.sub(r"\s+", " ", Structure(page).text)


def mixed(data: Any, name: str) -> list[dict[str, Any]]:
    """A little of everything, with `name` wherever a name may stand."""
    label = "z" + name.encode("utf-8", "replace").decode()  # its place in the order stays
    return [
        *data.good("jazz"),
        data.row(f"0{name}", label, loudness_after_lufs=-33.0, gain_db=-13.0),
        data.row(f"1{name}", label, samples=22050 * 5),
        data.row("2", label, samples=22050 * 5),
        *[data.reject(f"{i}{name}", f"{name} ({i})") for i in range(3)],
        data.reject(name, f"same recording as {name}"),
    ]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_change_nothing_but_text(data: Any, name: str) -> None:
    usual = Structure(data.page(mixed(data, "zebra")))
    page = data.page(mixed(data, name))
    hostile = Structure(page)
    assert hostile.tags == usual.tags
    assert not re.search("[\x00-\x08\x1b\u202a-\u202e\u2066-\u2069]", page)


def test_nothing_is_loaded_from_anywhere(data: Any) -> None:
    page = data.page(mixed(data, "https://example.org/a.css"))
    parsed = Structure(page)
    assert parsed.loads and all(x.startswith("data:image/png;base64,") for x in parsed.loads)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert not re.search(r"url\(|@import|@font-face", page)
    assert "default-src 'none'" in html.unescape(page)


def test_figures_are_those_of_the_index(data: Any) -> None:
    rows = [
        *data.good("jazz"),
        data.row("long", "rock", samples=22050 * 600, seconds_before=600.0),
        data.row("late", "rock", "test", loudness_after_lufs=-26.5, gain_db=-6.5),
        data.row("late", "rock", "test", stem="vocals", samples=7, gain_db=-6.5),
        data.reject("a.mp3", "silent"),
        data.reject("b.mp3", "same recording as jazz-1"),
    ]
    text = words(data.page(rows))
    assert "5 tracks accepted 2 left out 14 minutes 2 labels" in text
    assert "rock 11 1 1 0 jazz 3 1 1 1" in text, "minutes, train, test, validation"
    assert "shortest jazz-0 1 min" in text and "longest long 10 min" in text
    assert "1 track of 5 stayed quieter" in text and "late with \N{MINUS SIGN}26.5 LUFS" in text
    assert "15 min before, 14 min after: trimming took 6.7 %" in text
    assert "1 track, by reason" in text and "silent (1)" in text and "a.mp3" in text
    assert "b.mp3 jazz-1" in text and text.count("b.mp3") == 1


def test_labels_that_few_tracks_test_are_named(data: Any) -> None:
    tested = [data.row(f"t{i}", "jazz", "test") for i in range(3)]
    text = words(data.page([*data.good("jazz", "rock"), *tested]))
    assert "rest on 5 test tracks. Fewer than 4 of rock : few differences" in text
    many = [data.row(f"u{i}", "rock", "test") for i in range(3)]
    text = words(data.page([*data.good("jazz", "rock"), *tested, *many]))
    assert "rest on 8 test tracks. Four times as many" in text


def test_one_picture_for_each_split_of_a_label(data: Any) -> None:
    page = data.page([*data.good("jazz"), data.row("b"), data.row("a")])
    found = re.findall(r"<figcaption><b><bdi>(.*?)</bdi></b>, (\w+)", page)
    assert found == [
        ("jazz-0", "train"),
        ("jazz-1", "test"),
        ("jazz-2", "validation"),
        ("b", "train"),
    ]


def test_the_same_data_give_the_same_bytes(data: Any) -> None:
    rows = mixed(data, "zebra")
    assert data.page(rows) == data.page(rows)


def test_ten_thousand_tracks_give_a_small_page(data: Any) -> None:
    splits = ("train", "test", "validation")
    accepted = [
        data.row(f"t{i}", f"label {i % 150} {'&' * 200}", splits[i % 3], samples=22050 * (9 + i))
        for i in range(6000)
    ]
    rejects = [data.reject(f"{i} {'&' * 240}", f"reason {i % 30}") for i in range(3900)]
    copies = [data.reject(f"{i} {'<' * 240}", f"same recording as t{i}") for i in range(1100)]
    page = data.page(accepted + rejects + copies)
    assert len(page.encode()) < 3_000_000
    text = words(page)
    assert "6,000 tracks accepted 5,000 left out" in text
    assert "50 more labels" in text and "24 of 150 labels" in text
    assert "other reasons (1,430)" in text and "All copies (1,100)" in text and "850 more" in text
    assert page.count("<image ") == 24


def test_no_reject_and_no_problem_is_said_so(data: Any) -> None:
    text = words(data.page(data.good("jazz", "rock")))
    assert "Nothing: every label has tracks in every split" in text
    assert "No track had to be left out" in text and "No recording came twice" in text


def test_an_index_without_tracks_is_refused(data: Any) -> None:
    with pytest.raises(UserError, match="no accepted track: run `dvc repro preprocess`"):
        data.facts([data.reject("a.mp3", "silent")])


@pytest.mark.parametrize(
    ("wanted", "budget", "shares"),
    [
        ([490, 3, 3], 250, [244, 3, 3]),
        ([1000, 1000], 250, [125, 125]),
        ([5, 6], 250, [5, 6]),
        ([9, 9, 9], 2, [0, 1, 1]),
    ],
)
def test_a_frequent_reason_leaves_room_for_the_rare_ones(
    wanted: list[int], budget: int, shares: list[int]
) -> None:
    assert fair_shares(wanted, budget) == shares
