"""What a verification found, for people and for programs; it is written however it ends."""

from __future__ import annotations

import platform
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ccp_analysis import files, provenance
from ccp_analysis.archive.artefacts import Compared
from ccp_analysis.archive.compared import DIFFERENT, FINE, IDENTICAL, LOST, NEW
from ccp_analysis.config.study import Study
from ccp_analysis.report.filled import environment
from ccp_analysis.report.pages import TEMPLATES as STYLES
from ccp_analysis.results.table import KEY

PAGE = Path("logs/verification.html")
FOUND = Path("logs/verification.json")
TEMPLATES = Path(__file__).parent / "templates"
LISTED = 500  # rows of a list on the page; the CSV has all
CHANGED, MISSING, ADDED = "changed", "missing", "added"
_SHOWN = ["analysis", "outcome", "visit", "population", "model", "inference", "term", "level"]


@dataclass
class Verification:
    """What is known so far."""

    listed: int = 0  # files of the archive
    faults: list[str] = field(default_factory=list)  # of them, "name: what"
    study: Study | None = None
    against: Path = Path()
    step: str = "reading the study"
    stopped: str = ""  # the sentence with which it ended before its end
    rows: pd.DataFrame | None = None
    artefacts: list[Compared] = field(default_factory=list)
    started: float = field(default_factory=time.perf_counter)

    @property
    def different_rows(self) -> pd.DataFrame:
        """The rows that are neither identical nor equal."""
        if self.rows is None:
            return pd.DataFrame()
        return self.rows[~self.rows["comparison"].isin(FINE)]

    @property
    def different_files(self) -> list[Compared]:
        """The files that are neither identical nor equal."""
        return [found for found in self.artefacts if found.comparison not in FINE]

    @property
    def reproduced(self) -> bool:
        """Whether every row and every file of the rerun is that of the reference."""
        whole = self.rows is not None and not self.stopped
        return whole and self.different_rows.empty and not self.different_files

    @property
    def verified(self) -> bool:
        """Whether, besides, every file is as it was packed."""
        return self.reproduced and not self.faults


def write(found: Verification) -> None:
    """Write ``logs/verification.html`` and ``.json`` of the study in the current folder."""
    files.write_json(FOUND, content(found))
    files.write_text(PAGE, page(found))


def content(found: Verification) -> dict[str, Any]:
    """Return all that was found, as JSON has it."""
    rows = found.different_rows
    return {
        "study": found.study.id if found.study else None,
        "data_status": found.study.data_status if found.study else None,
        "verified": found.verified,
        "stopped": {"step": found.step, "sentence": found.stopped} if found.stopped else None,
        "compared_with": found.against.as_posix() if found.against != Path() else None,
        "made_with": _made_with(),
        "seconds": round(time.perf_counter() - found.started, 1),
        "packed": {"files": found.listed, "faults": found.faults},
        "results": _counted(found.rows["comparison"]) if found.rows is not None else None,
        "results_different": rows.astype(object).where(rows.notna(), None).to_dict("records"),
        "reports": _counted(a.comparison for a in found.artefacts),
        "reports_compared": [asdict(artefact) for artefact in found.artefacts],
    }


def _made_with() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "program": provenance.program(),
    }


def _counted(kinds: Any) -> dict[str, int]:
    return dict(sorted(Counter(kinds).items()))


def sentences(found: Verification) -> list[str]:
    """Say in a few sentences what was found."""
    said = []
    if found.listed:
        as_packed = f"All {found.listed:,} files of the archive are as they were packed."
        said.append(
            f"{len(found.faults):,} of its files are not as packed." if found.faults else as_packed
        )
    elif found.faults:
        said.append("The list of the archive's files is missing: none can be compared.")
    if found.stopped:
        return [*said, f"It stopped while {found.step}: {found.stopped}"]
    rows, reports = len(found.different_rows), len(found.different_files)
    if found.rows is not None:
        said.append(
            f"Of {len(found.rows):,} results {rows or 'none'} came out differently."
            if rows
            else f"All {len(found.rows):,} results came out again."
        )
    if found.artefacts:
        said.append(
            f"Of {len(found.artefacts):,} tables, figures and documents {reports} did not."
            if reports
            else f"So did all {len(found.artefacts):,} tables, figures and documents."
        )
    return said


def page(found: Verification) -> str:
    """Return the page: the summary, then what differs with both values."""
    template = environment(TEMPLATES).get_template("verification.html.j2")
    study = found.study
    compared = _counted(found.rows["comparison"]) if found.rows is not None else {}
    artefacts = _counted(artefact.comparison for artefact in found.artefacts)
    packed: Counter[str] = Counter(fault.rpartition(": ")[2] for fault in found.faults)
    packed[IDENTICAL] = found.listed - packed[CHANGED] - packed[MISSING]
    found_kinds = {*compared, *artefacts, *(packed if found.listed else ())}
    kinds = [IDENTICAL, *sorted(found_kinds - {IDENTICAL, DIFFERENT, LOST, NEW})]
    kinds += [DIFFERENT, *sorted(found_kinds & {LOST, NEW})]
    return template.render(
        title=study.title if study else Path.cwd().name,
        label=study.data_label if study else "",
        synthetic=bool(study and study.data_status == "synthetic"),
        made=_made_with(),
        seconds=time.perf_counter() - found.started,
        verified=found.verified,
        sentences=sentences(found),
        kinds=kinds,
        steps={
            "Files of the archive, with their checksums": packed if found.listed else None,
            "Results, with those of the rerun": Counter(compared) if compared else None,
            "Tables, figures and documents, likewise": Counter(artefacts) if artefacts else None,
        },
        lists=list(_lists(found)),
        style=(STYLES / "style.css").read_text(encoding="utf-8"),
    )


def _lists(found: Verification) -> list[tuple[str, list[str], list[list[str]], str]]:
    """Return what differs: heading, columns, lines and a sentence."""
    lists = []
    if found.faults:
        lines = [list(fault.rpartition(": ")[::2]) for fault in found.faults]
        note = "A file is named by its place in the archive."
        lists.append(("Files not as packed", ["File", "Is"], lines[:LISTED], note))
    rows = found.different_rows
    if not rows.empty:
        lines = [
            [" / ".join(row[part] for part in _parts(row) if row[part])]
            + [row["comparison"], *(_cell(row[name]) for name in ("column", "reference", "rerun"))]
            for row in rows.head(LISTED).to_dict("records")
        ]
        note = "Of each row the number that differs most; logs/verification.csv has all rows."
        heads = ["Result", "Is", "Column", "Reference", "Rerun"]
        lists.append(("Results that differ", heads, lines, note))
    others = [artefact for artefact in found.artefacts if artefact.comparison != IDENTICAL]
    if others:
        lines = [
            [a.name, a.comparison, str(a.differences or ""), a.place]
            + [_cut(a.reference), _cut(a.rerun)]
            for a in others[:LISTED]
        ]
        note = (
            "Of each file the first place that differs; one that is equal differs in bytes alone."
        )
        heads = ["File", "Is", "Differences", "Place", "Reference", "Rerun"]
        lists.append(("Files of other bytes", heads, lines, note))
    return lists


def _parts(row: dict[str, Any]) -> list[str]:
    return _SHOWN if row["comparison"] == DIFFERENT else KEY


def _cell(value: object) -> str:
    return "" if pd.isna(value) else str(value) or "empty"


def _cut(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
