"""The validation report: every requirement, the tests that prove it, and how these ended last.

Reads ``docs/requirements.md``, ``tests/requirements.csv`` and what the last ``make test`` left in
``.cache/tests.xml``; writes ``.cache/validation/validation.html`` and ``.csv``, which belong to a
copy of the code and not to a study. Tolerances are read from the tests themselves.
"""

from __future__ import annotations

import ast
import csv
import datetime as dt
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from ccp_analysis import __version__, files  # noqa: E402
from ccp_analysis.report.documents import to_html  # noqa: E402
from ccp_analysis.report.head import Head  # noqa: E402
from ccp_analysis.report.table import Column, Table, to_markdown  # noqa: E402
from ccp_analysis.report.words import written_date  # noqa: E402

REQUIREMENTS = ROOT / "docs/requirements.md"
PROOFS = ROOT / "tests/requirements.csv"
LAST = ROOT / ".cache/tests.xml"
OUT = ROOT / ".cache/validation"
LINE = re.compile(r"^## (?P<room>.+)$|^- \*\*(?P<number>R-\d+)\*\* (?P<sentence>.+)$", re.MULTILINE)
TOLERANCES = ("rtol", "atol", "rel", "abs")
NOT_RUN, PASSED, FAILED, SKIPPED = "not run", "passed", "failed", "skipped"


@dataclass(frozen=True)
class Requirement:
    """A requirement: where it belongs, its number, its sentence."""

    room: str
    number: str
    sentence: str


@dataclass(frozen=True)
class Proof:
    """A test of a requirement, and what it compares with."""

    requirement: str
    test: str
    reference: str

    @property
    def path(self) -> Path:
        """The file of the test."""
        return ROOT / self.test.partition("::")[0]

    @property
    def function(self) -> str:
        """The function of the test."""
        return self.test.partition("::")[2]

    @property
    def compared(self) -> str:
        """The data that it compares with, and the script that made them, where there is one."""
        if not self.reference:
            return ""
        stem = self.reference.removesuffix(".json").removesuffix(".reference")
        scripts = [f"{stem}.R", f"{stem}.py"]
        made = [script for script in scripts if (ROOT / script).is_file()]
        return ", ".join([self.reference, *made])


def requirements() -> list[Requirement]:
    """Return the requirements in their order."""
    found, room = [], ""
    for line in LINE.finditer(REQUIREMENTS.read_text(encoding="utf-8")):
        if line["room"]:
            room = line["room"]
        else:
            found.append(Requirement(room, line["number"], line["sentence"]))
    return found


def proofs() -> list[Proof]:
    """Return the tests of all requirements."""
    with PROOFS.open(encoding="utf-8", newline="") as file:
        return [Proof(**row) for row in csv.DictReader(file)]


@cache
def functions_of(path: Path) -> dict[str, ast.FunctionDef]:
    """Return the functions at the top of a module; none of a file that is not there."""
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def tolerances(proof: Proof) -> str:
    """Return the tolerances that a test names, in itself and in functions of its module."""
    functions, found = functions_of(proof.path), dict[str, None]()
    waiting, seen = [proof.function], set[str]()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        for node in ast.walk(functions[name]) if name in functions else ():
            if isinstance(node, ast.Name) and node.id in functions and node.id not in seen:
                waiting.append(node.id)
            elif isinstance(node, ast.Call):
                found |= {
                    f"{k.arg} {ast.unparse(k.value)}": None for k in node.keywords if _says(k)
                }
    return ", ".join(sorted(found))


def _says(keyword: ast.keyword) -> bool:
    return keyword.arg in TOLERANCES and isinstance(keyword.value, ast.Constant)


def results() -> dict[str, list[str]]:
    """Return how each test ended last, once for each of its cases; none where nothing was run."""
    found: dict[str, list[str]] = {}
    for case in ElementTree.parse(LAST).iter("testcase") if LAST.is_file() else ():
        path = case.get("classname", "").replace(".", "/")
        kinds = {child.tag for child in case}
        ended = (
            FAILED if kinds & {"failure", "error"} else SKIPPED if "skipped" in kinds else PASSED
        )
        name = case.get("name", "").partition("[")[0]
        found.setdefault(f"{path}.py::{name}", []).append(ended)
    return found


def ended(found: list[str]) -> str:
    """Return in words how the cases of a test ended."""
    if not found:
        return NOT_RUN
    worst = next(kind for kind in (FAILED, PASSED, SKIPPED) if kind in found)
    count = found.count(worst)
    return worst if len(found) == 1 else f"{worst} ({count} of {len(found)} cases)"


def lines(last: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """Yield a line for each test of each requirement."""
    by = {one.number: one for one in requirements()}
    for proof in proofs():
        one = by[proof.requirement]
        yield {
            "room": one.room,
            "requirement": one.number,
            "sentence": one.sentence,
            "test": proof.test,
            "reference": proof.compared,
            "tolerance": tolerances(proof),
            "last_result": ended(last.get(proof.test, [])),
        }


def tested() -> dt.datetime | None:
    """Return when the last tests ended; None where there were none."""
    return dt.datetime.fromtimestamp(LAST.stat().st_mtime, dt.UTC) if LAST.is_file() else None


def changed() -> bool:
    """Return whether code or tests are younger than the last results."""
    moment = tested()
    paths = [path for folder in ("src", "tests", "tools") for path in (ROOT / folder).rglob("*.py")]
    return moment is not None and max(p.stat().st_mtime for p in paths) > moment.timestamp()


def markdown(found: list[dict[str, str]]) -> str:
    """Return the report as Markdown, a table for each room."""
    moment = tested()
    ends = [line["last_result"].partition(" ")[0] for line in found]
    proved = {line["requirement"] for line in found}
    when = f"The last `make test` ended on {written_date(moment.date())}." if moment else ""
    parts = [
        f"{len(proved)} requirements, {len(found)} tests of them: {ends.count(PASSED)} passed, "
        f"{ends.count(FAILED)} failed, {ends.count(SKIPPED)} skipped, "
        f"{len([e for e in ends if e == 'not'])} not run. {when or 'No tests were run.'}"
        + (" Code or tests have changed since." if changed() else ""),
        "A reference is data that a test compares with, and the script that made them where it is "
        "kept beside them; tests without one compare with algebra, a plain computation or what is "
        "stated. Tolerances are those that the tests name; without one, equality is asked for.",
    ]
    for place, room in enumerate(dict.fromkeys(line["room"] for line in found), start=1):
        own = [line for line in found if line["room"] == room]
        parts += [
            f"# {room}",
            to_markdown(_table(room, own), f"room{place}", f"Table {place}", False),
        ]
    return "\n\n".join(parts) + "\n"


def _table(room: str, own: list[dict[str, str]]) -> Table[dict[str, str]]:
    def words(line: dict[str, str]) -> str:
        file, _, name = line["test"].partition("::")
        said = name.removeprefix("test_").replace("_", " ")
        return f"{said} ({file.removeprefix('tests/')})"

    return Table(
        f"{room}: requirements and their tests",
        [
            Column("Requirement", lambda line: f"{line['requirement']} {line['sentence']}"),
            Column("Test", words, 46, "l"),
            Column("Reference", lambda line: line["reference"] or None, 26, "l"),
            Column("Tolerance", lambda line: line["tolerance"] or None, 14, "l"),
            Column("Last result", lambda line: line["last_result"], 14, "l"),
        ],
        own,
        grouped=True,
        stub="Test",
    )


def main() -> int:
    """Write the validation report; 1 where a test of a requirement failed."""
    found = list(lines(results()))
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "validation.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(found[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(found)
    moment = tested() or dt.datetime.now(dt.UTC)
    head = Head(
        "Validation report", f"Program {__version__}", "Validation", moment.date(), "", False
    )
    page = OUT / "validation.html"
    with tempfile.TemporaryDirectory() as folder:
        write = partial(
            to_html, markdown(found), head, Path(folder), origins={"places": [], "rows": {}}
        )
        files.write_whole(page, lambda target: write(target))
    failed = [line for line in found if line["last_result"].startswith(FAILED)]
    for line in failed:
        print(f"{line['requirement']}: {line['test']} failed.", file=sys.stderr)
    print(f"{page}: {len({x['requirement'] for x in found})} requirements.")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
