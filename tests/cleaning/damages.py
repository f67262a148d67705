"""Ways in which raw files arrive damaged."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

RAW = Path("data/raw")
FILES = ("recruitment", "teams", "baseline", "followup", "status")
# Columns of the reduced study, in which everything of the whole one occurs.
KEPT = {
    "baseline": "participant interview_date age gender employment goal_1 goal_2 goal_3 eq_mobility "
    "eq_selfcare eq_activities eq_pain eq_anxiety eq_vas su_gp days_off_work",
    "followup": "participant interview_date goal_1 goal_2 goal_3 eq_mobility eq_selfcare "
    "eq_activities eq_pain eq_anxiety eq_vas su_gp days_off_work",
}
CELLS = [
    "=1+1",
    "=cmd|'/c calc'!A1",
    "+3",
    "@SUM(A1)",
    "-2+3",
    "1e400",
    "-1e400",
    "9" * 400,
    "1e-400",
    "inf",
    "nan",
    "NULL",
    "0x1F",
    "1_0",
    "1,000",
    "١٢",
    "\u202e54\u202c",
    "\ufeff3",
    "３",
    "é",
    "\u0000".replace("\u0000", "\x07"),
    "<script>alert(1)</script>",
    "'; DROP TABLE participants; --",
    "a\nb",
    'say "yes"',
    "#REF!",
    "2019-02-30",
    "30/02/2019",
    "43502",
    "1000000000000",
    "-1",
    "  ",
    " ",
    "TRUE",
    "3 (three)",
    "x" * 5000,
    "None",
    "not asked",
    "-99",
]


@dataclass(frozen=True)
class Damage:
    """A name and what is done to the files of the study in the current folder."""

    name: str
    do: Callable[[], None]
    same: bool = False  # whether the participants must come out as before
    cell: tuple[str, str, str] | None = None  # whose row, file and column, where it is one cell


def reduce_study(folder: Path) -> None:
    """Leave five files, some columns of the interviews and the instruments that they make."""
    for file, columns in KEPT.items():
        path = folder / RAW / f"{file}.csv"
        header, *rows = table(path)
        at = [header.index(name) for name in columns.split()]
        write(path, [[row[i] for i in at] for row in (header, *rows)])
    path = folder / "config/dictionary.csv"
    header, *rows = table(path)
    wanted = {file: columns.split() for file, columns in KEPT.items()}
    kept = [r for r in rows if r[0] in FILES and (r[0] not in wanted or r[1] in wanted[r[0]])]
    write(path, [header, *kept])
    path = folder / "config/instruments.yaml"
    text = path.read_text(encoding="utf-8")
    made = ("goal_attainment", "inclusion", "utility", "fidelity")
    goal, inclusion, utility, fidelity = (text.index(f"  {name}:") for name in made)
    text = "instruments:\n" + text[goal:inclusion] + text[utility:fidelity]
    path.write_text(text, encoding="utf-8")
    path = folder / "config/study.yaml"
    study = yaml.safe_load(path.read_text(encoding="utf-8")) | {
        "complete_case": ["goal_attainment"]
    }
    for part in ("delivery", "sharing", "target_trial"):
        del study[part]
    left = [study["files"].pop(file)["path"] for file in {*study["files"]} - {*FILES}]
    for name in (*left, "config/implementation.yaml"):
        (folder / name).unlink()
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    path = folder / "config/rules.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.index("  - id: contact_after_recruitment")], encoding="utf-8")


def table(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def write(path: Path, rows: list[list[str]], delimiter: str = ",") -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", delimiter=delimiter).writerows(rows)
    path.write_bytes(text.getvalue().encode())


def _of(file: str) -> Path:
    return RAW / f"{file}.csv"


def _rows(file: str, change: Callable[[list[list[str]]], list[list[str]]]) -> Callable[[], None]:
    return lambda: write(_of(file), change(table(_of(file))))


def _bytes(file: str, change: Callable[[bytes], bytes]) -> Callable[[], None]:
    return lambda: _of(file).write_bytes(change(_of(file).read_bytes())) and None


def _put(row: int, column: int, text: str) -> Callable[[list[list[str]]], list[list[str]]]:
    def change(rows: list[list[str]]) -> list[list[str]]:
        rows[row][column] = text
        return rows

    return change


def cell_damages(rng: np.random.Generator) -> Iterator[Damage]:
    for number, text in enumerate(CELLS):
        for file in (("baseline", "followup")[number % 2], FILES[number % 3 * 2]):
            rows = table(_of(file))
            row, column = int(rng.integers(1, len(rows))), int(rng.integers(len(rows[0])))
            name = f"{file} {rows[0][column]} of row {row + 1}: {text[:20]!r}"
            cell = (rows[row][rows[0].index("participant")], f"{file}.csv", rows[0][column])
            yield Damage(name, _rows(file, _put(row, column, text)), cell=cell)


def header_damages(rng: np.random.Generator) -> Iterator[Damage]:
    for file in FILES:
        last = len(table(_of(file))[0]) - 1
        at = int(rng.integers(1, last + 1))
        order = rng.permutation(last + 1).tolist()
        shift = [*order[1:], order[0]]
        yield Damage(f"{file}: header renamed", _rows(file, _put(0, at, "another")))
        yield Damage(f"{file}: header blank", _rows(file, _put(0, at, "")))
        yield Damage(f"{file}: header twice", _rows(file, _put(0, at, table(_of(file))[0][0])))
        yield Damage(f"{file}: formula as header", _rows(file, _put(0, at, "=A1")))
        yield Damage(f"{file}: no header", _rows(file, lambda rows: rows[1:]))
        yield Damage(f"{file}: header only", _rows(file, lambda rows: rows[:1]))
        yield Damage(
            f"{file}: column gone",
            _rows(file, lambda rows, at=at: [r[:at] + r[at + 1 :] for r in rows]),
        )
        yield Damage(f"{file}: column added", _rows(file, lambda rows: [[*r, "x"] for r in rows]))
        yield Damage(
            f"{file}: headers shifted",
            _rows(file, lambda rows, s=shift: [[rows[0][i] for i in s], *rows[1:]]),
        )
        yield Damage(
            f"{file}: columns in another order",
            _rows(file, lambda rows, o=order: [[r[i] for i in o] for r in rows]),
            same=True,
        )
        yield Damage(
            f"{file}: spaces in the header",
            _rows(file, lambda rows: [[f" {c} " for c in rows[0]], *rows[1:]]),
            same=True,
        )


def row_damages(rng: np.random.Generator) -> Iterator[Damage]:
    for file in FILES:
        rows = len(table(_of(file)))
        one, other = (int(i) for i in rng.choice(np.arange(1, rows), 2, replace=False))
        order = (1 + rng.permutation(rows - 1)).tolist()
        yield Damage(
            f"{file}: rows shuffled",
            _rows(file, lambda r, o=order: [r[0], *(r[i] for i in o)]),
            same=True,
        )
        yield Damage(
            f"{file}: row {one} twice", _rows(file, lambda r, i=one: [*r, r[i]]), same=True
        )
        yield Damage(
            f"{file}: row {one} twice, spaced",
            _rows(file, lambda r, i=one: [*r, [f" {c}  " for c in r[i]]]),
            same=True,
        )
        yield Damage(
            f"{file}: row {one} twice, different",
            _rows(file, lambda r, i=one, j=other: [*r, [r[i][0], *r[j][1:]]]),
        )
        yield Damage(f"{file}: row {one} gone", _rows(file, lambda r, i=one: r[:i] + r[i + 1 :]))
        yield Damage(f"{file}: stranger", _rows(file, lambda r, i=one: [*r, ["CP999", *r[i][1:]]]))
        yield Damage(f"{file}: no identifier", _rows(file, _put(one, 0, " ")))
        yield Damage(
            f"{file}: identifier in small letters",
            _rows(file, lambda r, i=one: [*r[:i], [r[i][0].lower(), *r[i][1:]], *r[i + 1 :]]),
            same=True,
        )
        yield Damage(
            f"{file}: row too long",
            _rows(file, lambda r, i=one: [*r[:i], [*r[i], ""], *r[i + 1 :]]),
        )
        yield Damage(
            f"{file}: row too short", _rows(file, lambda r, i=one: [*r[:i], r[i][:-1], *r[i + 1 :]])
        )
        yield Damage(
            f"{file}: blank rows",
            _rows(file, lambda r, i=one: [*r[:i], [" "] * len(r[0]), [], *r[i:]]),
            same=True,
        )
        yield Damage(
            f"{file}: two columns swapped",
            _rows(file, lambda r: [r[0], *([*row[:-2], row[-1], row[-2]] for row in r[1:])]),
        )


def file_damages(rng: np.random.Generator) -> Iterator[Damage]:
    for file in FILES:
        path = _of(file)
        size = path.stat().st_size
        yield Damage(f"{file}: empty", _bytes(file, lambda b: b""))
        yield Damage(f"{file}: blank", _bytes(file, lambda b: b"\n \n,,\n"))
        yield Damage(f"{file}: missing", path.unlink)
        yield Damage(f"{file}: a folder", lambda path=path: _folder(path))
        yield Damage(f"{file}: semicolons", lambda path=path: write(path, table(path), ";"))
        yield Damage(f"{file}: tabs", lambda path=path: write(path, table(path), "\t"))
        yield Damage(f"{file}: UTF-16", _bytes(file, lambda b: b.decode().encode("utf-16")))
        yield Damage(f"{file}: Latin-1", _bytes(file, lambda b: b.replace(b"\n", b"\xe9\n", 3)))
        yield Damage(
            f"{file}: byte order mark", _bytes(file, lambda b: b"\xef\xbb\xbf" + b), same=True
        )
        yield Damage(f"{file}: CRLF", _bytes(file, lambda b: b.replace(b"\n", b"\r\n")), same=True)
        yield Damage(f"{file}: CR", _bytes(file, lambda b: b.replace(b"\n", b"\r")), same=True)
        yield Damage(f"{file}: NUL", _bytes(file, lambda b: b.replace(b",", b"\x00,", 1)))
        yield Damage(f"{file}: zeros at the end", _bytes(file, lambda b: b + bytes(64)))
        yield Damage(
            f"{file}: open quotation mark", _bytes(file, lambda b: b.replace(b",", b',"', 9))
        )
        noise = rng.bytes(3000)
        yield Damage(f"{file}: noise", _bytes(file, lambda b, noise=noise: noise))
        yield Damage(f"{file}: a ZIP file named .csv", lambda path=path: _zip(path))
        yield Damage(f"{file}: a ZIP file named .xlsx", lambda file=file: _named_xlsx(file))
        yield Damage(f"{file}: text named .xlsx", lambda file=file: _renamed(file, "xlsx"))
        yield Damage(f"{file}: text named .sav", lambda file=file: _renamed(file, "sav"))
        yield Damage(f"{file}: text named .dta", lambda file=file: _renamed(file, "dta"))
        for cut in rng.integers(1, size, 3).tolist():
            yield Damage(f"{file}: cut after {cut} bytes", _bytes(file, lambda b, cut=cut: b[:cut]))
        for at in rng.integers(0, size, 5).tolist():
            new = bytes([int(rng.integers(32, 127))])
            yield Damage(
                f"{file}: byte {at} is {new!r}",
                _bytes(file, lambda b, at=at, n=new: b[:at] + n + b[at + 1 :]),
            )


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _zip(path: Path) -> None:
    content = path.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inside.csv", content)


def _renamed(file: str, suffix: str) -> None:
    shutil.move(_of(file), _of(file).with_suffix(f".{suffix}"))
    study = Path("config/study.yaml")
    text = study.read_text(encoding="utf-8").replace(f"{file}.csv", f"{file}.{suffix}")
    study.write_text(text, encoding="utf-8")


def _named_xlsx(file: str) -> None:
    _zip(_of(file))
    _renamed(file, "xlsx")


def all_damages() -> list[Damage]:
    """Every damage to the study in the current folder; the same at every run."""
    rng = np.random.default_rng(20261123)
    makers = (cell_damages, header_damages, row_damages, file_damages)
    return [damage for maker in makers for damage in maker(rng)]
