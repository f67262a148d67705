"""Two files of the reports: equal where they say the same, different with both values."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import openpyxl
import pytest
import typst
from matplotlib import image

from ccp_analysis.archive.artefacts import compare_files, same
from ccp_analysis.archive.compared import DIFFERENT, EQUAL, IDENTICAL, LOST, NEW

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def docx(text: str, shade: int = 100, order: int = 1) -> bytes:
    body = f"<w:p><w:r><w:t>{text[:2]}</w:t></w:r><w:r><w:t>{text[2:]}</w:t></w:r></w:p>"
    parts = [
        ("word/document.xml", f'<w:document xmlns:w="{WORD}">{body}</w:document>'.encode()),
        ("word/media/a.png", png(shade)),
    ]
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as document:
        for name, content in parts[::order]:
            document.writestr(name, content)
    return file.getvalue()


def png(shade: int, size: int = 4, note: str = "") -> bytes:
    file = io.BytesIO()
    pixels = np.full((size, size, 3), 100, dtype=np.uint8)
    pixels[1, 2, 0] = shade
    image.imsave(file, pixels, format="png", metadata={"Comment": note})
    return file.getvalue()


def xlsx(value: object, width: int) -> bytes:
    book, file = openpyxl.Workbook(), io.BytesIO()
    book.active.append(["a", value])
    book.active.column_dimensions["A"].width = width
    book.save(file)
    return file.getvalue()


def svg(x: str, text: str = "Team") -> bytes:
    drawn = f'<path d="M {x} 2"/><text>{text}</text>'
    return f'<svg xmlns="http://www.w3.org/2000/svg">{drawn}</svg>'.encode()


def html(text: str, style: str = "") -> bytes:
    return f"<style>{style}</style><h2>Costs</h2><table><tr><td>{text}</td></tr></table>".encode()


def pdf(text: str, day: int = 1) -> bytes:
    dated = f"#set document(date: datetime(year: 2020, month: 1, day: {day}))"
    return typst.compile(f"{dated}\nFirst\n#pagebreak()\n{text}".encode(), format="pdf")


SAID, PAGE, OTHER = r"*ffi* (a\\b) = 0.5 ∑", r" (a\b) = 0.5 ∑", r" (a\b) = 0.6 ∑"
P4, N5, PIXEL, SHADES = "p = .04", "n = 5", "pixel 2, 1 of 1", ("0.392", "0.784")
WRITTEN, DRAWN = "word/document.xml, paragraph ", "element 2 (path), d"
# A file, the same otherwise written, and another; where that differs, and what stands there. In the
# PDF there are ligatures, brackets, what is escaped in it, and letters of another font.
PAIRS = [
    ("a.pdf", *map(pdf, [SAID, SAID, SAID.replace("5", "6")], [1, 2, 1]), "page 2", PAGE, OTHER),
    ("a.csv", b"x,y\n1,0.5\n", b'x,y\n1,"0.50"\n', b"x,y\n1,0.6\n", "line 2, y", "0.5", "0.6"),
    ("a.csv", b"x\n1\n", b"x\r\n1\r\n", b"x\n1\n2\n", "line 3", "4 parts", "6 parts"),
    ("a.json", b'{"n": [1, 0.5]}', b'{"n":[1,0.5]}', b'{"n": [2, 0.5]}', "/n/0", "1", "2"),
    ("a.xlsx", xlsx(0.5, 9), xlsx(0.5, 20), xlsx(0.6, 9), "Sheet!B1", "0.5", "0.6"),
    ("a.html", html(P4), html(P4, "a {}"), html("p = .05"), "under 'Costs'", P4, "p = .05"),
    ("a.docx", docx(N5), docx(N5, order=-1), docx("n = 6"), f"{WRITTEN}1", N5, "n = 6"),
    ("a.docx", docx(N5), docx(N5, 101), docx(N5, 200), f"word/media/a.png, {PIXEL}", *SHADES),
    ("a.png", png(100), png(101), png(200), PIXEL, *SHADES),
    ("a.png", png(100), png(100, note="made"), png(100, 5), "size in pixels", "4 x 4", "5 x 5"),
    ("a.svg", svg("1.25"), svg("1.25000001"), svg("1.26"), DRAWN, "M 1.25 2", "M 1.26 2"),
    ("a.svg", svg("1"), svg("1", "Team "), svg("1", "Tram"), "element 3 (text)", "Team", "Tram"),
    ("a.txt", b"0.5 m", b"0.50 m", b"0.5 s", "line 1", "0.5 m", "0.5 s"),
]


@pytest.mark.parametrize(("name", "old", "equal", "other", "place", "before", "after"), PAIRS)
def test_each_kind_of_file(tmp_path, name, old, equal, other, place, before, after):
    for folder, content in (("old", old), ("equal", equal), ("other", other)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(content)
    path = tmp_path / "old" / name
    assert compare_files(name, path, path).comparison == IDENTICAL
    assert compare_files(name, path, tmp_path / "equal" / name).comparison == EQUAL
    found = compare_files(name, path, tmp_path / "other" / name)
    assert (found.comparison, found.place) == (DIFFERENT, place)
    assert (found.reference, found.rerun) == (before, after)


def test_a_few_pixels_on_edges_are_no_difference_and_a_digit_is(tmp_path):
    old, new = np.full((600, 800, 3), 255, np.uint8), np.full((600, 800, 3), 255, np.uint8)
    image.imsave(tmp_path / "a.png", old)
    for pixels, found in ((4, EQUAL), (5, DIFFERENT)):
        new[300, :pixels] = 0
        image.imsave(tmp_path / "b.png", new)
        assert compare_files("a", tmp_path / "a.png", tmp_path / "b.png").comparison == found


def test_files_that_are_missing_or_are_no_such_file(tmp_path):
    one, other, gone = (tmp_path / name for name in ("a.json", "b.json", "c.json"))
    one.write_text(json.dumps({"a": 1}))
    other.write_text("{")
    assert compare_files("a", one, gone).comparison == LOST
    assert compare_files("a", gone, one).comparison == NEW
    found = compare_files("a", one, other)
    assert (found.comparison, found.reference) == (DIFFERENT, "cannot be read as json")
    for path, text in ((tmp_path / "a.pdf", "one"), (tmp_path / "b.pdf", "other")):
        path.write_text(text)
    found = compare_files("a", tmp_path / "a.pdf", tmp_path / "b.pdf")
    assert (found.comparison, found.rerun) == (DIFFERENT, "ValueError: it has no pages")


@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        ("0.1234567890123", "0.1234567890124", True),
        ("0.123456", "0.123457", True),
        ("0.12345", "0.12346", False),
        ("1,234.56", "1234.56", True),
        ("n = 151", "n = 152", False),
        ("12345678901", "12345678902", False),
        ("1.5e-17", "-2.5e-17", True),
        ("0", "4.4408921e\u221216", True),
        ("\u22120.5", "-0.50", True),
        ("\u22120.5", "0.5", False),
        ("0.5 (0.1)", "0.5", False),
        ("a 1.0", "b 1.0", False),
    ],
)
def test_two_texts_with_numbers(old, new, equal):
    assert same(old, new) is equal
