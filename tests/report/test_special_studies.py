"""Studies unlike the shipped ones have a report that reads right, and figures that fit."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text
from special import VILE, Special, run
from support import reported
from support.study import StudyFolder, inside, once

from ccp_analysis.report.drawing import TALL, WIDTH
from ccp_analysis.report.pages import TEMPLATES
from ccp_analysis.report.source import Source
from ccp_analysis.results.terms import Term

pytestmark = pytest.mark.study

LONG = "scale of a questionnaire about things that have long names, second revised edition"
MANY = {f"o{k}": "number" for k in range(30)}


def entry(id: str, model: str, data: str = "observed", **more: Any) -> dict[str, Any]:
    return {"id": id, "role": "supporting", "model": model, "data": data, **more}


def main(model: str, data: str = "observed", **more: Any) -> dict[str, Any]:
    return entry("main", model, data, **more) | {"role": "primary"}


PLANNED = {"outcome": "mood", "difference": 3, "sd": 7, "retest": 0.5, "participants": 90}
SHIFTED = {"id": "delta", "analysis": "last", "outcomes": ["mood"], "deltas": [-5, 0, 5]}
STUDIES = {
    # One outcome, nothing missing, nothing imputed, people as units.
    "one": Special(
        {"mood": "number"},
        [main("ancova", visit="m1")],
        lost=0,
        plan={"checks": ["main"], "planned": PLANNED},
    ),
    # Many clusters that are no pairs; a binary outcome and a count, this at two visits.
    "teams": Special(
        {"mood": "number", "relapse": "yes", "visits": "count"},
        [
            main("ancova", "imputed", visit="m2", outcomes=["mood"]),
            entry("odds", "logistic", "imputed", visit="m2", outcomes=["relapse"]),
            entry("early", "poisson", visit="m1", outcomes=["visits"]),
            entry("late", "poisson", visit="m2", outcomes=["visits"]) | {"role": "primary"},
            entry("mixed", "mixed", visit="m2", outcomes=["mood"]),
        ],
        visits=2,
        people=240,
        teams=60,
        plan={"checks": ["main"]},
    ),
    "ten visits": Special(
        {"mood": "number", "sleep": "number"},
        [main("mmrm"), entry("last", "ancova", "imputed", visit="m10")],
        visits=10,
        people=120,
        plan={
            "outcomes": [
                {"id": name, "role": "primary", "benefit": "higher"} for name in ("mood", "sleep")
            ],
            "checks": ["last"],
            "sensitivity": {"delta": [SHIFTED | {"directions": {"b": {"b": 1}}, "map_steps": 5}]},
        },
    ),
    "many outcomes": Special(
        MANY,
        [
            main("ancova", visit="m1"),
            entry("imputed", "ancova", "imputed", visit="m1", outcomes=["o0", "o1"]),
        ],
        labels={name: f"{VILE} {LONG} {name}" for name in MANY},
    ),
    # Nothing is known of an outcome in one arm: models of it fail.
    "silent": Special(
        {"mood": "number", "silence": "number"},
        [main("ancova", visit="m2"), entry("each", "mmrm")],
        visits=2,
        silent="silence",
    ),
}


def special(name: str, factory: pytest.TempPathFactory) -> StudyFolder:
    made = once(factory, f"special_{name[:4]}", lambda path: run(STUDIES[name], path / "study"))
    return StudyFolder(made / "study")


@pytest.fixture(scope="module", params=STUDIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return special(request.param, tmp_path_factory)


def read(source: Source) -> str:
    """Return the text of the report without its escapes."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", reported.text(source))


def test_the_report_reads_right(folder: StudyFolder, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["folder"]
    source = folder.source()
    with inside(folder.path):
        text = read(source)
        assert reported.claimed_in_vain(source, "consort") == []
    assert "None" not in text and "nan" not in text.split()
    assert ".]." not in text
    # No code stands where a label should.
    said = re.sub(r"`[^`]*`|\(\S+\)|#\S+|statements\.\S+|_under_", "", text)
    assert not re.findall(r"\b(?:age|mood|relapse|visits|o\d+)_\w+", said)
    # Where nothing was imputed, no word is said of how it was.
    of_imputation = ("Fully conditional", "averaged over the imputations", "van Buuren")
    assert all((word in text) == source.imputes for word in of_imputation)
    if source.study.clusters is None:
        for word in ("paired team means", "draws clusters", "Paired team"):
            assert word not in text
    assert "Costs and quality-adjusted" not in text
    CHECKS.get(name, lambda text: None)(text)


def nothing_missing(text: str) -> None:
    assert "No value is missing" in text and "Nothing was imputed" in text
    assert "figures/missing" not in text
    assert "The study was planned with 90 participants" in text and "design effect" not in text
    assert "by the noncentral t with the degrees of freedom that people leave" in text
    assert re.search(r"Participants required \(t\) \| \d+", text)


def kinds(text: str) -> None:
    """A percentage stands for what is binary, no points for what is counted, visits tell apart."""
    assert "Visits (points)" not in text and " visits (points)" not in text
    assert re.search(r"Relapse, n \(%\) \| \d+ \(\d+\)", text)
    assert "mean (SD) or n (%)" in text
    assert "complete cases at month 1 (supporting" in text
    assert "complete cases at month 2 (primary" in text
    assert "With so few" not in text and "there are few practices" not in text
    assert "bias-reduced (CR2)" in text
    assert "Balance: none" not in text and "Pair 0" not in text


def labels(text: str) -> None:
    assert text.count(VILE) > 60
    pages = re.findall(r"Outcomes (\d+) to (\d+) of 30", text)
    assert pages[0][0] == "1" and pages[-1][1] == "30" and len(pages) > 1


def says_what_failed(text: str) -> None:
    assert "nobody in the arm 'Active' has all that the analysis needs" in text
    assert "not estimated" in text


CHECKS = {
    "one": nothing_missing,
    "teams": kinds,
    "many outcomes": labels,
    "silent": says_what_failed,
}


def test_no_type_is_smaller_than_seven_points_on_a_page(folder: StudyFolder) -> None:
    """As stated, times what documents make smaller: all figures, and no empty axes."""
    source, sizes = folder.source(), {}
    for name in reported.figure_names(source):
        if reported.is_drawn(source, name):
            figure = reported.draw(source, name)
            scale = min(1, TALL / figure.get_figheight(), WIDTH / figure.get_figwidth())
            texts = [text for text in figure.findobj(Text) if text.get_text()]
            sizes[name] = scale * min(text.get_fontsize() for text in texts)
            for axes in figure.axes:
                drawn = axes.lines or axes.patches or axes.collections or axes.images or axes.texts
                assert drawn or not axes.axison, name
    assert {name: size for name, size in sizes.items() if size < 7} == {}


def test_the_forest_of_many_outcomes_goes_on(folder: StudyFolder) -> None:
    source = folder.source()
    names = [name for name in reported.figure_names(source) if name.startswith("forest")]
    drawn = [reported.draw(source, name) for name in names if reported.is_drawn(source, name)]
    lines = [line for figure in drawn for line in figure.axes[0].lines]
    there = sum(
        source.primary_row(o.id, term=Term.STANDARDISED) is not None for o in source.plan.outcomes
    )
    assert sum(line.get_marker() in ("o", "D") for line in lines) == there


def test_documents_know_how_high_a_figure_may_be() -> None:
    wide, tall = round(WIDTH * 25.4), round(TALL * 25.4)
    assert f"height > {tall}mm" in (TEMPLATES / "report.typ").read_text()
    assert f"WIDE, TALL = {wide}, {tall}\n" in (TEMPLATES / "report.lua").read_text()


@pytest.mark.parametrize("name", ["many outcomes", pytest.param("teams", marks=pytest.mark.long)])
def test_documents_are_made(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = special(name, tmp_path_factory)
    folder = StudyFolder(shutil.copytree(made.path, tmp_path / "study"))
    with inside(folder.path):
        folder.run("items")
        folder.run("report")
        page = Path("reports/report.html").read_text(encoding="utf-8")
        assert Path("reports/report.pdf").stat().st_size > 50_000
        assert Path("reports/report.docx").stat().st_size > 20_000
    if name == "many outcomes":
        assert "Größe α–ω &lt;i&gt;&amp;amp;_under_*star*|bar$x$#hash@home" in page
