"""Estimands, patterns of missing values, who was lost, and values not missing at random."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from made_up import DATA, Folder, _rows, make
from support import reported
from test_document import markdown
from test_figures import _said

from ccp_analysis import files
from ccp_analysis.report.sections.chains import draw_predictors, imputed_outcomes
from ccp_analysis.report.sections.departures import maps_of, tipping
from ccp_analysis.report.sections.missing import (
    ROWS,
    columns_of,
    draw_patterns,
    inside,
    lost_sentences,
    pattern_sentence,
)
from ccp_analysis.results.table import results_table

pytestmark = pytest.mark.simulation

LOSSES = ["visit", "characteristic", "level", "n_seen", "n_lost", "seen", "lost", "sd"]
LOSSES += ["difference", "people", "people_lost", "lost_share"]


def grid() -> pd.DataFrame:
    """Return a map on which the difference is that of the deltas, with intervals two wide."""
    axis = np.linspace(-4, 4, 9)
    pairs = list(itertools.product(axis, axis))
    reference, active = (np.array(part) for part in zip(*pairs, strict=True))
    estimate = (active - reference) / 2
    fixed = {"analysis": "shift", "outcome": "sleep", "scale": "points"}
    return pd.DataFrame(
        {"delta_reference": reference, "delta_active": active, "estimate": estimate}
        | {"conf_low": estimate - 2, "conf_high": estimate + 2}
    ).assign(**fixed)


def chains() -> pd.DataFrame:
    rows = [
        {"variable": "sleep_later", "level": "", "iteration": i, "chain": c, "mean": 10 * c + i}
        for c in range(1, 13)
        for i in range(1, 5)
    ]
    return pd.DataFrame(rows)


def filled_in() -> pd.DataFrame:
    observed = [("", 0, 18.0, 10), ("", 0, 20.0, 10)]
    imputed = [("", 1, 20.0, 3), ("", 1, 24.0, 4), ("", 2, 24.0, 7)]
    table = pd.DataFrame(observed + imputed, columns=["level", "imputation", "value", "people"])
    return table.assign(variable="sleep_later")


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The made-up study in clusters, with all that is said of missing values; the report."""
    folder = make("clustered", tmp_path_factory.mktemp("lost") / "study")
    more = yaml.safe_load((DATA / "lost.yaml").read_text(encoding="utf-8"))
    plan = folder.path / "config/analysis.yaml"
    whole = yaml.safe_load(plan.read_text(encoding="utf-8")) | more["analysis"]
    plan.write_text(yaml.safe_dump(whole, sort_keys=False), encoding="utf-8")
    rows = results_table(_rows(more["results"]), "synthetic")
    before = pd.read_csv(folder.path / "results.csv", dtype=str, keep_default_na=False)
    added = rows.astype(object).where(rows.notna(), "").map(str)
    files.write_csv(folder.path / "results.csv", pd.concat([before, added]))
    shape = ["pattern", "people", "missing", "variable", "observed"]
    made = {
        "missing_patterns": pd.DataFrame(more["patterns"], columns=shape),
        "losses": pd.DataFrame(more["losses"], columns=LOSSES),
        "tipping": grid(),
        "imputation_traces": chains(),
        "imputation_values": filled_in(),
    }
    for name, table in made.items():
        files.write_parquet(folder.path / f"points/{name}.parquet", table)
    folder.report()
    return folder


# --- estimands ------------------------------------------------------------------------------------


def test_estimands_are_set_out_by_their_attributes(lost: Folder) -> None:
    rows = [
        (row["Attribute"], row["Definition"])
        for row in lost.rows("tables/estimands.csv")
        if row["Estimand"] == "Whatever is <b>received</b>"
    ]
    assert rows == [
        ("Population", "Everyone on the wards at the start"),
        ("Treatment", "New care against usual care"),
        ("Variable", "Sleep at the end"),
        ("Intercurrent event: died (other outcomes)", "Hypothetical: imputed as if alive"),
        ("Intercurrent event: died (Pain at the)", "Composite: pain is 0"),
        (
            "Intercurrent event: another ward",
            "Treatment policy: values are used (not recorded)",
        ),
        ("Summary measure", "Difference in means"),
        ("Primary analysis", "ANCOVA (imputed)"),
        ("Supporting analyses", "Mixed model and paired team means (imputed)"),
        (
            "Sensitivity analyses",
            "ANCOVA (complete cases); ANCOVA with deltas added to imputed values",
        ),
    ]


def test_every_estimand_has_its_own_analyses(lost: Folder) -> None:
    rows = {
        row["Attribute"]: row["Definition"]
        for row in lost.rows("tables/estimands.csv")
        if row["Estimand"] == "change"
    }
    assert rows["Supporting analyses"] == (
        "Change score (imputed); difference in differences (observed visits)"
    )
    assert rows["Sensitivity analyses"] == "ANCOVA after reference-based imputation"
    assert "Primary analysis" not in rows
    notes = reported.tables(lost.source())["estimands"].notes
    assert notes[0].startswith("Imputed: 5 imputations by fully conditional specification")
    assert notes[-1] == (
        "Recorded as left the study: what is not known after it is missing data, and no "
        "intercurrent event."
    )


def test_the_report_says_what_is_estimated_before_the_outcomes(
    lost: Folder, clustered: Folder
) -> None:
    text, without = markdown(lost), markdown(clustered)
    before = text[: text.index("# Outcomes")]
    assert "[Table" in before and "#tbl-estimands" in before
    assert "has it by its attributes" in text
    assert "Whatever is <b>received</b>" in text
    assert "# What is estimated" not in without
    assert "Treatment policy: the difference between the arms" in without


def test_where_the_planned_figures_come_from_is_said(lost: Folder, clustered: Folder) -> None:
    said = "These figures are made up."
    assert said in " ".join(markdown(lost).split())
    assert reported.tables(lost.source())["sample_size"].notes[0] == said
    assert said not in markdown(clustered)


# --- what is missing, and who was lost ------------------------------------------------------------


def test_those_lost_stand_beside_those_seen(lost: Folder) -> None:
    rows = {row["Characteristic"]: list(row.values())[2:] for row in lost.rows("tables/losses.csv")}
    assert {row["Visit"] for row in lost.rows("tables/losses.csv")} == {"End: 33 seen, 7 lost"}
    assert rows["Arm: Usual care"] == ["3 of 19 (16)", "48%", "43%", "−0.11", "synthetic"]
    assert rows["Ward 2"][0] == "0 of 17 (0)"
    assert rows["Age (years)"] == ["7 of 38", "42.0", "44.5", "0.23", "synthetic"]
    assert rows["Sex: Female"][0] == "2 of 19 (11)"
    assert rows["Sleep"] == ["7 of 40", "20.5", "19.5", "−0.20", "synthetic"]


def test_the_largest_differences_are_said_without_the_wards(lost: Folder) -> None:
    [sentence] = lost_sentences(lost.source())
    assert sentence.startswith("End: 7 lost, 33 seen; the largest standardised differences are in")
    assert sentence.endswith("sex, female (−0.43) and age (years) (0.23).")
    assert sentence in " ".join(markdown(lost).split())


def test_names_with_capitals_of_their_own_keep_them(lost: Folder) -> None:
    row = {"characteristic": "sleep_start", "level": ""}
    assert inside(lost.source(), row) == "sleep"
    row = {"characteristic": "Beck Inventory", "level": ""}
    assert inside(lost.source(), row) == "Beck Inventory"


def test_patterns_are_drawn_by_visit(lost: Folder) -> None:
    source = lost.source()
    assert pattern_sentence(source) == (
        "30 of 40 participants have a value of every variable that is imputed; the others fall "
        "into 2 patterns, of which the most frequent lacks 2 of 3 variables (7 participants)."
    )
    columns = columns_of(source)
    assert [(c.label, c.visit) for c in columns] == [
        ("Age", ""),
        ("Sleep", "later"),
        ("Pain at the", "later"),
    ]
    grid_of = np.array([column.observed for column in columns]).T
    assert grid_of.tolist() == [[True] * 3, [True, False, False], [False, True, True]]
    figure = reported.draw(source, "patterns")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["30", "7", "3"]
    assert [bar.get_width() for bar in figure.axes[1].patches] == [30, 7, 3]
    assert "End" in _said(figure)


def many(source, variables: int, kinds: int):
    """Return patterns of many variables at one visit, each pattern lacking one of the first."""
    names = [f"x{place:02d}_later" for place in range(variables)]
    rows = [
        (k, 100 - k, 1, name, place != k) for k in range(kinds) for place, name in enumerate(names)
    ]
    table = pd.DataFrame(rows, columns=["pattern", "people", "missing", "variable", "observed"])
    return replace(source, patterns=table)


def test_many_patterns_and_variables_are_cut_short(lost: Folder) -> None:
    source = many(lost.source(), 40, 25)
    columns = columns_of(source)
    # The fifteen that are never missing share a column.
    assert len(columns) == 26
    assert columns[-1].label == "x25 and 14 more"
    assert "share a column" in reported.legend(source, "patterns")[0]
    assert "share a column" not in reported.legend(lost.source(), "patterns")[0]
    figure = draw_patterns(source)
    assert len(figure.axes[0].get_yticklabels()) == ROWS
    rest = sum(100 - k for k in range(20, 25))
    assert f"and 5 more patterns, of {rest} participants" in " ".join(_said(figure).split())
    assert len(columns_of(many(lost.source(), 30, 3))) == 30


def test_where_nothing_is_missing_nothing_is_said(plain: Folder) -> None:
    source = plain.source()
    assert not reported.is_drawn(source, "patterns")
    assert pattern_sentence(source) == "" and lost_sentences(source) == []
    assert reported.tables(source)["losses"].rows == []
    assert "lost to follow-up" not in markdown(plain)


# --- deltas, tipping points, scenarios ------------------------------------------------------------


def test_differences_by_delta_and_direction(lost: Folder) -> None:
    rows = lost.rows("tables/deltas.csv")
    assert [row["Delta"] for row in rows] == ["−4", "0", "4"]
    assert list(rows[0])[2:5] == [
        "Added in New care",
        "Added in Usual care",
        "Added in New care and taken off in Usual care",
    ]
    assert [row["Added in New care"] for row in rows] == [
        "−1.35 (−4.60 to 1.90)",
        "−0.55 (−3.49 to 2.39)",
        "0.25 (−3.00 to 3.50)",
    ]
    # Without a delta all directions are the planned analysis; a row that is not there is empty.
    assert rows[1]["Added in Usual care"] == rows[1]["Added in New care"]
    assert rows[0]["Added in New care and taken off in Usual care"] == ""
    notes = reported.tables(lost.source())["deltas"].notes
    assert "Multiples of the delta by reason of loss: left 0.5." in notes


def test_tipping_points_are_looked_up(lost: Folder) -> None:
    one, other, apart = tipping(lost.source())
    assert one == (
        "Added in New care: beyond a delta of 12.50 points the interval lies "
        "above zero (outside the deltas of the plan); beyond a delta of −9.25 points the interval "
        "lies below zero (outside the deltas of the plan)."
    )
    assert other == (
        "Added in Usual care: no delta up to 20 on either side changes how the interval lies to "
        "zero: it includes zero throughout."
    )
    assert apart == (
        "Added in New care and taken off in Usual care: beyond a delta of "
        "3.75 points the interval lies above zero (within the deltas of the plan); no negative "
        "delta does so, none up to 20."
    )
    text = " ".join(markdown(lost).split())
    assert all(sentence in text for sentence in (one, other, apart))


def test_an_interval_without_zero_comes_to_include_it(lost: Folder) -> None:
    source = lost.source()
    for row in source.rows(analysis="shift", term="difference", delta=0.0):
        row |= {"conf_low": 0.2, "conf_high": 3.0}
    one, other, _ = tipping(source)
    assert one.count("the interval includes zero") == 2
    assert other.endswith("it lies above zero throughout.")


def test_scenarios_with_both_variances(lost: Folder) -> None:
    rows = lost.rows("tables/scenarios.csv")
    assert [row["Scenario"] for row in rows] == ["MAR", "JR = CR", "LMCF"]
    kinds = [name for name in rows[0] if name.startswith("Difference")]
    assert [re.split(", ", kind)[1] for kind in kinds] == [
        "repeated-sampling variance",
        "information-anchored variance",
    ]
    assert [rows[1][kind] for kind in kinds] == ["−0.40 (−2.30 to 1.50)", "−0.45 (−3.20 to 2.30)"]
    assert [rows[2][kind] for kind in kinds] == ["", ""]
    notes = reported.tables(lost.source())["scenarios"].notes
    assert "LMCF: somebody has no observed follow-up." in notes
    assert notes[0].startswith("MAR, missing at random; JR, jump to reference; CR, copy reference")


# --- figures of the imputation --------------------------------------------------------------------


def test_chains_and_values_are_drawn(lost: Folder) -> None:
    source = lost.source()
    assert imputed_outcomes(source) == ["sleep_later"]
    left, right = reported.draw(source, "imputation").axes
    assert left.get_ylabel().replace("\n", " ") == "Sleep, End"
    # Ten of the twelve chains, each a line of its own.
    drawn = [list(line.get_ydata()) for line in left.lines]
    assert drawn == [[10 * c + i for i in range(1, 5)] for c in range(1, 11)]
    observed, imputed = right.containers[0], right.patches[-1]
    shares = {
        round(bar.get_x() + bar.get_width() / 2): bar.get_height()
        for bar in observed
        if bar.get_height()
    }
    assert shares == {18: 50.0, 20: 50.0}
    # Of fourteen imputed values three are 20 and eleven 24.
    heights = sorted({round(y, 6) for _, y in imputed.get_xy()})
    assert heights == [0.0, round(300 / 14, 6), round(1100 / 14, 6)]


def test_the_map_has_its_regions_and_its_labels_inside(lost: Folder) -> None:
    source = lost.source()
    assert maps_of(source) == [("shift", "sleep")]
    figure = reported.draw(source, "tipping")
    figure.canvas.draw()
    axes = figure.axes[0]
    assert axes.get_xlabel() == "Delta in Usual care (points)"
    assert axes.get_ylabel() == "Delta in New care (points)"
    labels = [text for text in axes.texts if re.fullmatch(r"−?\d(\.\d)?", text.get_text())]
    # The difference is half the deltas' difference, -4 to 4: corners have no line to label.
    assert {"0", "2", "−2"} <= {text.get_text() for text in labels}
    frame = axes.get_window_extent()
    mark = axes.transData.transform((0, 0))
    for text in labels:
        box = text.get_window_extent()
        assert frame.x0 < box.x0 and box.x1 < frame.x1, text.get_text()
        assert frame.y0 < box.y0 and box.y1 < frame.y1, text.get_text()
        assert not box.contains(*mark), text.get_text()
        x, y = text.get_position()
        assert (y - x) / 2 == pytest.approx(float(text.get_text().replace("−", "-")), abs=0.05)


def test_a_map_on_which_nothing_tips_has_no_regions(lost: Folder) -> None:
    source = lost.source()
    source.tipping["conf_low"], source.tipping["conf_high"] = -9.0, 9.0
    source.tipping["estimate"] = 1.0
    axes = reported.draw(source, "tipping").axes[0]
    assert not axes.collections
    assert "no delta" in [text.get_text() for text in axes.texts]


def test_figures_and_tables_of_missing_values_have_a_place(lost: Folder, plain: Folder) -> None:
    source = lost.source()
    listed = reported.table_names(source)
    assert "estimands" in listed
    assert listed.index("missing") < listed.index("losses") < listed.index("imputation_models")
    drawn = reported.figure_names(source)
    assert drawn.index("missing") < drawn.index("tipping") < drawn.index("patterns")
    few = plain.source()
    assert "estimands" not in reported.table_names(few)


def test_the_matrix_of_predictors_is_that_of_the_models(clustered: Folder) -> None:
    source = clustered.source()
    fitted = source.models[source.models["method"] != "derived"]
    used = {(row.variable, row.predictor) for row in fitted.itertuples() if row.predictor}
    [axes] = draw_predictors(source).axes
    grid = axes.collections[0].get_array().reshape(len(axes.get_yticks()), -1)
    assert (grid == 0).sum() == len(used)
    assert grid.shape == (fitted["variable"].nunique(), len(axes.get_xticks()))
    counted = {
        row["Variable"]: row["Predictors"] for row in clustered.rows("tables/imputation_models.csv")
    }
    for name, part in fitted.groupby("variable"):
        assert int(counted[source.variable(name)]) == (part["predictor"] != "").sum()
