"""What is missing and what values not missing at random would change: figures, and what differs.

The text and its tables are those of `test_golden_sentences.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from lost import make_lost
from made_up import Folder
from support import reported
from test_figures import _said

from ccp_analysis.report.sections.chains import draw_predictors
from ccp_analysis.report.sections.departures import maps_of, tipping
from ccp_analysis.report.sections.missing import (
    ROWS,
    columns_of,
    draw_patterns,
    inside,
    lost_sentences,
    pattern_sentence,
)

pytestmark = pytest.mark.simulation


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return make_lost(tmp_path_factory.mktemp("lost") / "study")


# --- what is missing, and who was lost ------------------------------------------------------------


def test_names_with_capitals_of_their_own_keep_them(lost: Folder) -> None:
    row = {"characteristic": "sleep_start", "level": ""}
    assert inside(lost.source(), row) == "sleep"
    row = {"characteristic": "Beck Inventory", "level": ""}
    assert inside(lost.source(), row) == "Beck Inventory"


def test_patterns_are_by_visit(lost: Folder) -> None:
    columns = columns_of(lost.source())
    labels = [("Age", ""), ("Sleep", "later"), ("Pain at the", "later")]
    assert [(c.label, c.visit) for c in columns] == labels
    observed = np.array([column.observed for column in columns]).T
    assert observed.tolist() == [[True] * 3, [True, False, False], [False, True, True]]


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


# --- deltas, tipping points, scenarios ------------------------------------------------------------


def test_an_interval_without_zero_comes_to_include_it(lost: Folder) -> None:
    source = lost.source()
    for row in source.rows(analysis="shift", term="difference", delta=0.0):
        row |= {"conf_low": 0.2, "conf_high": 3.0}
    one, other, _ = tipping(source)
    assert one.count("the interval includes zero") == 2
    assert other.endswith("it lies above zero throughout.")


# --- figures of the imputation --------------------------------------------------------------------


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
