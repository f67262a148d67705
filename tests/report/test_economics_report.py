"""The economic evaluation in the report where rows are others than those made up; its figures.

What is said of the rows made up is kept by `test_golden_sentences.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import Folder, make
from support import reported
from support.reported import summary

from ccp_analysis.errors import StudyError
from ccp_analysis.report.sections.checklist import FOR_AUTHORS
from ccp_analysis.report.sections.variations import marks_of
from ccp_analysis.report.source import Source, load


def markdown(folder: Folder, source: Source | None = None) -> str:
    source = source or folder.source()
    with folder.inside():
        text = reported.text(source)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def section(text: str) -> str:
    """Return the section on the evaluation, on one line."""
    found = re.search(r"^# Costs and quality-adjusted life years$(.*?)^# ", text, re.M | re.S)
    return " ".join(found[1].split())


def changed(source: Source, where: dict[str, object], **values: object) -> Source:
    """Return the source with other values in the rows that fit; there must be one at least."""
    fits = [all(row[c] == v for c, v in where.items()) for row in source.results]
    assert any(fits)
    pairs = zip(source.results, fits, strict=True)
    return replace(source, results=[row | values if fit else row for row, fit in pairs])


def without(source: Source, **where: object) -> Source:
    rows = [r for r in source.results if any(r[c] != v for c, v in where.items())]
    assert len(rows) < len(source.results)
    return replace(source, results=rows)


@pytest.mark.parametrize(
    ("months", "rows", "services"),
    [
        (3, ", all visits after baseline", "services of all visits after the baseline up to it, "),
        (12, "", "services "),  # a visit after the horizon adds nothing
    ],
)
def test_the_cost_at_the_horizon_may_be_that_of_several_visits(
    clustered: Folder, months: int, rows: str, services: str
) -> None:
    source = clustered.source()
    start, later = source.study.visits
    more = later.model_copy(update={"id": "more", "label": "More", "months": months})
    visits = sorted([start, later, more], key=lambda visit: visit.months)
    built = reported.tables(
        replace(source, study=source.study.model_copy(update={"visits": visits}))
    )
    lines = [row[0] for row in built["resource_use"].rows if row[0].startswith("Whole")]
    assert lines == [f"Whole cost{part} (Health services)" for part in ("", rows)]
    note = f"Cost at end: {services}and the intervention (Health services)."
    assert note in built["economic_means"].notes[0]


# The checklist


def test_the_checklist_has_all_items_with_places_that_exist(clustered: Folder) -> None:
    every = clustered.rows("tables/cheers.csv")
    rows = [row for row in every if row["Item"] != "VOI"]
    assert [int(row["Item"]) for row in rows] == list(range(1, 29))
    assert len(every) == len(rows) + 6
    text = markdown(clustered)
    headings = set(re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE))
    shown = set(re.findall(r"\*\*((?:Table|Figure) \d+)\.\*\*", text))
    answered = 0
    for row in every:
        places = re.findall(r"“([^”]+)”", row["Where"])
        numbers = re.findall(r"(?:Table|Figure) \d+", row["Where"])
        assert set(places) <= headings, row
        assert set(numbers) <= shown, row
        answered += bool(places) and row in rows
        if not places and row in rows:
            assert int(row["Item"]) in {1, 3, 6, 7, 21, 25, 27, 28}
    assert answered == 20
    by_item = {int(row["Item"]): row["Where"] for row in rows}
    assert by_item[1] == f"{FOR_AUTHORS}, in statements.1."
    assert by_item[28] == f"{FOR_AUTHORS}, in statements.28."
    assert by_item[3] == "Sleep in wards is *poor*."
    assert by_item[16].startswith("Not applicable")
    assert by_item[9].endswith("; why it is long enough is to be stated by the authors.")


# Sentences


def test_placeholders_are_said_first(clustered: Folder) -> None:
    text = section(markdown(clustered))
    named = "Nurse visits at the and the unit costs of the intervention's Manual are placeholders"
    assert text.startswith(
        f"::: {{.warning}} The unit costs of {named}, by what is given as source"
    )
    assert summary(clustered.source())["Costs"].endswith(f"{named}: this shows the method only.")


def test_exported_draws_and_curves_say_which_arm_is_taken_from_which(clustered: Folder) -> None:
    curve, draws = (
        pd.read_csv(clustered.path / f"tables/{name}.csv")
        for name in ("acceptability_curves", "bootstrap_draws")
    )
    assert list(draws)[:3] == ["draw", "cost_new_minus_usual", "qaly_new_minus_usual"]
    source = clustered.source()
    np.testing.assert_array_equal(draws.iloc[:, :3], source.draws)
    assert list(curve["threshold"]) == [0, 10000, 20000, 30000, 50000]
    assert list(curve["net_benefit_new_minus_usual"]) == [1234.5, 1357.5, 1480.5, 1603.5, 1849.5]
    assert curve["probability_new_above_usual_by_regression"].iloc[2] == 0.8934
    assert curve["perfect_information_by_regression"].iloc[2] == 77.4
    text = markdown(clustered)
    assert "Draws of the bootstrap" not in text


def test_references_are_those_used(clustered: Folder) -> None:
    authors = ("Manca", "Hoch", "Husereau", "Davison", "Gomes", "Brand", "Fieller")
    text = markdown(clustered)
    references = text.partition("# References")[2]
    methods = text.partition("\n## Statistical methods")[2].partition("\n# ")[0]
    for author in authors:
        assert author in references
        assert author in methods
    fewer = without(clustered.source(), model="two-stage-bootstrap")
    text = markdown(clustered, without(fewer, inference="fieller"))
    for author in authors:
        assert (author in text) == (author in authors[:3]), author


# Figures


def test_the_plane_has_a_point_for_each_draw_up_to_a_limit(clustered: Folder) -> None:
    """All draws and the estimate are inside, and zero is in the middle."""
    source = clustered.source()
    [axes] = reported.draw(source, "plane").axes
    [cloud] = axes.collections
    points = np.asarray(cloud.get_offsets())
    assert points.shape == (2000, 2)
    np.testing.assert_allclose(points, source.draws.iloc[:2000, [2, 1]].to_numpy())
    for low, high, values in ((*axes.get_xlim(), points[:, 0]), (*axes.get_ylim(), points[:, 1])):
        assert low == -high
        assert low < values.min() and values.max() < high


def test_few_draws_are_all_drawn(clustered: Folder) -> None:
    source = clustered.source()
    few = replace(source, draws=source.draws.head(150))
    [cloud] = reported.draw(few, "plane").axes[0].collections
    assert len(cloud.get_offsets()) == 150
    assert "(150 drawn)" in reported.legend(few, "plane")[0]
    assert (clustered.path / "figures" / "plane.svg").stat().st_size < 200_000


def test_the_tornado_begins_with_what_moves_it_farthest(clustered: Folder) -> None:
    assert [mark.label for mark in marks_of(clustered.source())] == [
        *("Complete cases", "Prices half as high again", "Imputed sleep worse", "All of society"),
        "Main evaluation",
    ]


# Studies without


def test_an_evaluation_without_variations_has_those_left_out_or_no_section(tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study")
    source = folder.source()
    economics = source.economics.model_copy(update={"sensitivity": []})
    alone = replace(source, economics=economics)
    text = markdown(folder, alone)
    assert "varies one thing at a time." in text and "Without North" in text
    for term in ("difference without one pair", "difference without one person"):
        alone = without(alone, term=term)
    text = markdown(folder, alone)
    assert "What the evaluation hangs on" not in text
    assert "**Figure" in text


def test_an_evaluation_without_draws_prices_or_intervention(clustered: Folder) -> None:
    source = clustered.source()
    economics = source.economics.model_copy(update={"intervention": None})
    none = pd.DataFrame()
    bare = replace(source, draws=none, prices=none, intervention=none, economics=economics)
    text = markdown(clustered, without(bare, outcome="intervention"))
    assert "What New care itself costs is not declared, and not counted." in text
    assert "Figure" in text
    for words in ("Cost-effectiveness plane", "Unit costs, their price years", "None"):
        assert words not in text


def test_prices_that_are_not_there_are_named(tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study")
    everything = folder.everything
    (folder.path / "prices.parquet").unlink()
    with folder.inside(), pytest.raises(StudyError, match=r"prices\.parquet: the file is missing"):
        load(**everything)
