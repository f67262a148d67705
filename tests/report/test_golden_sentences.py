"""What the reports of made-up studies say, beside what is kept of it.

All of three reports, in data/said/, and each case of the summary's sentences, data/sentences.yaml.
``python tests/report/test_golden_sentences.py`` writes the files again.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from lost import make_lost
from made_up import DATA, Folder, make
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import ArrayLike
from support import reported
from support.reported import summary

from ccp_analysis.analyses.question import Question
from ccp_analysis.analyses.readings import with_readings
from ccp_analysis.economics.ratios import Effect, in_words
from ccp_analysis.report.catalogue import figures_of
from ccp_analysis.report.drawing import WIDTH
from ccp_analysis.report.marks import plain as unmarked
from ccp_analysis.report.source import Row, Source

KEPT = DATA / "sentences.yaml"
REPORTS: dict[str, Callable[[Path], Folder]] = {
    "clustered": lambda path: make("clustered", path),
    "plain": lambda path: make("plain", path),
    "lost": make_lost,
}
LIMITS = ("estimate", "conf_low", "conf_high", "p_value")
NOTHING = dict.fromkeys((*LIMITS, "std_error", "df", "n"))
# What the primary analysis found, which direction is better, and the difference that matters.
OUTCOMES: dict[str, dict[str, Any]] = {
    "includes zero": {"found": (-1.0, -3.0, 1.0, 0.32), "benefit": "higher"},
    "excludes zero": {"found": (2.5, 0.6, 4.4, 0.01), "benefit": "higher"},
    "excludes zero, less is better": {"found": (-2.5, -4.4, -0.6, 0.01), "benefit": "lower"},
    "excludes zero, no direction known": {"found": (2.5, 0.6, 4.4, 0.01)},
    "excludes the difference that matters": {
        "found": (0.2, -1.4, 1.8, 0.8),
        "benefit": "higher",
        "mcid": 3.0,
    },
    "excludes it in one direction, less is better": {
        "found": (-2.0, -4.5, 0.5, 0.11),
        "benefit": "lower",
        "mcid": 3.0,
    },
    "all of it matters": {"found": (5.0, 3.5, 6.5, 0.0001), "benefit": "higher", "mcid": 3.0},
    "boundary: the interval ends at zero": {"found": (2.0, 0.0, 4.0, 0.05), "benefit": "higher"},
    "boundary: the interval ends at what matters": {
        "found": (1.0, -1.0, 3.0, 0.32),
        "benefit": "higher",
        "mcid": 3.0,
    },
    "failed": {"status": "failed", "note": "2 of 2 fits of the mixed model did not converge"},
    "refused": {"status": "refused", "note": "no degrees of freedom are left"},
    "one arm empty": {
        "status": "refused",
        "note": "nobody in the arm 'Drug B' has all that the analysis needs",
    },
}
# Differences in cost and in quality-adjusted life years.
MONEY = {"dominated": (900.0, -0.02), "dominates": (-900.0, 0.02), "a ratio": (900.0, 0.02)}


def of_outcome(source: Source, case: dict[str, Any]) -> str:
    """Return what is said of a primary outcome."""
    [main] = source.rows(analysis="main", term="difference")
    if "found" in case:
        _, low, high, _ = case["found"]
        found = dict(zip(LIMITS, case["found"], strict=True))
        # A standard error that goes with the interval, for the decimals.
        row = main | found | {"std_error": (high - low) / 3.3, "conf_level": 0.9}
        rows = _read(source, row, case)
    else:
        rows = [main | NOTHING | {"status": case["status"], "note": case["note"]}]
    plan = source.plan
    outcomes = [o.model_copy(update={"benefit": case.get("benefit")}) for o in plan.outcomes[:1]]
    entries = [analysis for analysis in plan.analyses if analysis.id == "main"]
    plan = plan.model_copy(update={"outcomes": outcomes, "analyses": entries})
    return unmarked(summary(replace(source, plan=plan, results=rows))["Primary outcome"])


def _read(source: Source, row: Row, case: dict[str, Any]) -> list[Row]:
    """Return a difference with what is read off it."""
    benefit, mcid = case.get("benefit"), case.get("mcid")
    ask = Question("mood", "mood_week12", "mood_start", [], "points", 0.9)
    ask = replace(ask, standardise=False, benefit=benefit, mcid=mcid, power=None)
    found = with_readings([row], source.study, ask)
    return [dict.fromkeys(row) | {"note": "", "status": "ok"} | one for one in found]


def of_money(source: Source, cost: float, gain: float) -> str:
    """Return what is said of costs, at a pair of differences."""
    given = {"cost": cost, "qaly": gain}
    note = in_words(source.study, cost, gain, Effect("qaly", "qaly", "QALY"))
    rows = []
    for row in source.results:
        if row["analysis"] == "economics" and row["term"] == "icer":
            row = row | {"note": note}
        elif row["analysis"] == "economics" and row["term"] == "difference":
            at = given.get(row["outcome"], 0.0)
            half = 4 * abs(at) if at else 1.0
            row = row | {"estimate": at, "conf_low": at - half, "conf_high": at + half}
        rows.append(row)
    return unmarked(summary(replace(source, results=rows))["Costs"])


def said(plain: Folder, clustered: Folder) -> dict[str, str]:
    """Return the sentences of every case."""
    with plain.inside():
        found = {name: of_outcome(plain.source(), case) for name, case in OUTCOMES.items()}
    with clustered.inside():
        found |= {name: of_money(clustered.source(), *pair) for name, pair in MONEY.items()}
    return found


def whole(folder: Folder, source: Source | None = None) -> str:
    """Return the text of a report with its tables: readable, and without versions of software."""
    source = source or folder.source()
    with folder.inside():
        text = unmarked(reported.text(source))
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)
    text = re.sub(r"^\| :?-+.*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"(?<=^\*\*Software\.\*\* ).*", "…", text, flags=re.MULTILINE)


def drawn(figure: Figure) -> Iterator[str]:
    """Yield what a figure says and where its marks are, to four digits, the first of many."""
    for axes in figure.axes:
        yield " | ".join(("axes", axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()))
        for line in axes.lines:
            yield f"line {line.get_marker()}{line.get_linestyle()} {places(line.get_xydata())}"
        for group in axes.collections:
            ends = group.get_segments() if isinstance(group, LineCollection) else []
            points = np.concatenate(ends) if len(ends) else group.get_offsets()
            yield f"{type(group).__name__} of {len(points)} {places(points)}"
        bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
        sizes = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in bars]
        yield from [f"{len(bars)} bars {places(sizes)}"] if bars else []
    yield from (text.get_text() for text in figure.findobj(Text) if text.get_text().strip())


def places(points: ArrayLike) -> str:
    rows = np.ma.filled(np.ma.asarray(points, dtype=float), np.nan)[:12]
    return " ".join(",".join(f"{value:.4g}" for value in row) for row in rows + 0.0)


def figures(folder: Folder) -> str:
    """Return all figures of a report in words; none has type below seven points."""
    source, lines = folder.source(), []
    for item in figures_of(source):
        if item.there(source):
            figure = item.draw(source)
            texts = [text for text in figure.findobj(Text) if text.get_text()]
            assert min(text.get_fontsize() for text in texts) >= 7, item.name
            assert figure.get_figwidth() == WIDTH
            lines += [f"# {item.name}", *drawn(figure)]
    return "\n".join(lines) + "\n"


def reports(folder: Path) -> dict[str, str]:
    """Return texts and figures by study; of the one with values missing what the first has not."""
    found = {}
    for name, make_it in REPORTS.items():
        made = make_it(folder / name)
        found |= {f"{name}.md": whole(made), f"{name}_figures.md": figures(made)}
    for part in (".md", "_figures.md"):
        known = set(found[f"clustered{part}"].splitlines())
        lines = found[f"lost{part}"].splitlines(keepends=True)
        found[f"lost{part}"] = "".join(line for line in lines if line.strip("\n") not in known)
    return found


def test_the_reports_say_what_is_kept_of_them(tmp_path: Path) -> None:
    for name, text in reports(tmp_path).items():
        kept = (DATA / "said" / name).read_text(encoding="utf-8")
        assert text.splitlines() == kept.splitlines(), name


def test_every_case_says_what_is_kept_of_it(plain: Folder, clustered: Folder) -> None:
    assert said(plain, clustered) == yaml.safe_load(KEPT.read_text(encoding="utf-8"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for report, text in reports(Path(name)).items():
            (DATA / "said" / report).write_text(text, encoding="utf-8")
        cases = said(*(Folder(Path(name) / report) for report in ("plain", "clustered")))
        text = yaml.safe_dump(cases, sort_keys=False, allow_unicode=True, width=98)
        KEPT.write_text(text, encoding="utf-8")
