"""Change score, difference in differences, and where ANCOVA and the change score disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import trial
from hypothesis import given, settings
from hypothesis import strategies as st
from trial import INFERRED, agrees, ask, pick

from ccp_analysis.analyses.comparison import compare


@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_change_score_and_its_distance_from_ancova_are_those_of_clubsandwich(
    study, tables, reference, data
):
    rows = compare("change", study, tables, data, ask())
    agrees(pick(rows, "difference", inference="cr2"), reference["change"])
    lord = pick(rows, "ancova minus change score")
    agrees(lord, reference["lord"])
    assert lord["inference"] == "cr2"
    separate = [
        pick(compare(model, study, tables, data, ask()), "difference", inference="cr2")["estimate"]
        for model in ("ancova", "change")
    ]
    assert lord["estimate"] == pytest.approx(separate[0] - separate[1])


def test_paired_change_by_hand(study, tables):
    rows = compare("change", study, tables, "observed", ask())
    found = pick(rows, "difference", inference="paired-t")
    first = tables[tables["imputation"] == 0]
    gain = (first["y_after"] - first["y_before"]).groupby([first["trust"], first["arm"]]).mean()
    differences = gain.xs("intervention", level="arm") - gain.xs("control", level="arm")
    assert found["estimate"] == pytest.approx(differences.mean())
    assert found["std_error"] == pytest.approx(differences.std() / np.sqrt(5))
    assert found["df"] == 4


def test_each_says_what_it_assumes(study, tables):
    for model in ("change", "did"):
        rows = compare(model, study, tables, "imputed", ask())
        notes = {row["note"] for row in rows if row["term"] == "difference"}
        assert notes == {
            "assumes that without the intervention both arms would have changed by the same amount"
        }
    note = pick(compare("ancova", study, tables, "imputed", ask()), "difference")["note"]
    assert "would have fared alike in both arms" in note
    randomised = compare("change", trial.study(randomised=True), tables, "observed", ask())
    assert "ANCOVA is more precise" in pick(randomised, "difference", inference="cr2")["note"]


@pytest.mark.parametrize("covariates", [[], ["age", "female"]])
@pytest.mark.parametrize("data", ["observed", "imputed"])
def test_did_is_the_change_score_where_nothing_is_missing(study, tables, covariates, data):
    did, change = (
        compare(model, study, tables, data, ask(covariates=covariates))
        for model in ("did", "change")
    )
    for inference in ("cr2", "paired-t"):
        both = [pick(rows, "difference", inference=inference) for rows in (did, change)]
        for column in (*INFERRED, "p_value"):
            assert both[0][column] == pytest.approx(both[1][column], rel=1e-9), column


def test_did_with_gaps_is_that_of_clubsandwich(study, tables, reference):
    gaps = tables.assign(
        y_before=tables["y_before"].mask(tables["index"] % 17 == 0),
        y_after=tables["y_after"].mask(tables["index"] % 6 == 0),
    )
    rows = compare("did", study, gaps, "observed", ask())
    found = pick(rows, "difference", inference="cr2")
    agrees(found, reference["did"])
    assert (found["n"], found["n_clusters"]) == (reference["did"]["n"], 10)
    assert (found["visit"], found["population"]) == ("after", "observed-follow-ups")
    assert "people seen at one visit contribute" in found["note"]
    means = {(r["level"], r["visit"]): r["estimate"] for r in rows if r["term"] == "adjusted mean"}
    gain = {arm: means[arm, "after"] - means[arm, "before"] for arm in trial.study().arms.ordered}
    assert gain["intervention"] - gain["control"] == pytest.approx(found["estimate"])


@pytest.mark.parametrize("model", ["change", "did"])
def test_a_pair_with_one_team_fails_the_paired_analysis_alone(study, tables, model):
    without = tables[tables["team"] != "T02"]
    rows = compare(model, study, without, "observed", ask())
    failed = pick(rows, "difference", inference="paired-t")
    assert failed["status"] == "failed"
    assert failed["note"] == "Every pair must be two teams, one in each arm"
    assert "estimate" not in failed
    assert np.isfinite(pick(rows, "difference", inference="cr2")["std_error"])


def test_without_clusters_people_are_the_clusters_of_the_differences(tables):
    plain = trial.study(clusters=None)
    did, change = (compare(m, plain, tables, "observed", ask()) for m in ("did", "change"))
    assert {row["inference"] for row in did} == {"cr2"}
    both = [pick(rows, "difference") for rows in (did, change)]
    assert both[0]["estimate"] == pytest.approx(both[1]["estimate"])
    assert both[1]["inference"] == "t"
    assert pick(change, "ancova minus change score")["df"] > 50


def moved_at_baseline(tables: pd.DataFrame, shift: float) -> pd.DataFrame:
    """Let the arm start higher: less change, and yet more than its baseline lets expect."""
    active = (tables["arm"] == "intervention") * shift
    return tables.assign(y_before=tables["y_before"] + active)


AGREE = "ANCOVA and the change score agree to within the MCID: "
DISAGREE = "ANCOVA and the change score disagree (Lord's paradox): "
OPEN = "whether ANCOVA and the change score agree is open: "
UNJUDGED = "whether ANCOVA and the change score agree cannot be judged without an MCID: "


@pytest.mark.parametrize(
    ("shift", "mcid", "verdict", "end"),
    [
        (1.0, 3.0, AGREE, "lies within the MCID of 3 points on either side"),
        (1.0, 2.0, OPEN, "they may be up to 2.18 points apart, 1.1 times the MCID of 2 points"),
        (1.0, None, UNJUDGED, "they may be up to 2.18 points apart"),
        (2.0, 3.0, AGREE, "on either side, though it excludes zero"),
        (2.0, 1.75, DISAGREE, "up to 2.62 points apart, 1.5 times the MCID of 1.75 points"),
        (2.0, None, DISAGREE, "excludes zero; they may be up to 2.62 points apart"),
    ],
)
def test_two_agree_where_the_interval_of_their_difference_is_within_the_mcid(
    study, tables, shift, mcid, verdict, end
):
    """Both intervals include zero, which says nothing of it; moved by 2 the signs are opposite."""
    rows = compare("change", study, moved_at_baseline(tables, shift), "observed", ask(mcid=mcid))
    change = pick(rows, "difference", inference="cr2")
    assert change["conf_low"] < 0 < change["conf_high"]
    row = pick(rows, "ancova minus change score")
    if shift == 2.0:
        assert change["estimate"] < 0 < change["estimate"] + row["estimate"]
    assert row["note"].startswith(verdict)
    assert f"{row['conf_low']:.3g} to {row['conf_high']:.3g} points" in row["note"]
    assert row["note"].endswith(end)


@settings(max_examples=4)
@given(st.floats(-50, 50), st.floats(0.1, 20), st.integers(0, 99))
@pytest.mark.parametrize("model", ["ancova", "change", "did", "clda", "team-means"])
def test_shift_scale_and_order_change_nothing_but_the_unit(
    study, tables, model, shift, scale, seed
):
    moved = tables.assign(
        **{name: shift + scale * tables[name] for name in ("y_before", "y_after")}
    )
    parts = [part.sample(frac=1, random_state=seed) for _, part in moved.groupby("imputation")]
    # The tables stay in one order: a row is the same person in all of them.
    parts = [part.set_index("index").loc[parts[0]["index"]].reset_index() for part in parts]
    question = ask(value="y" if model == "clda" else "y_after")
    before = compare(model, study, tables, "imputed", question)
    after = compare(model, study, pd.concat(parts), "imputed", question)
    rel = 1e-4 if model == "clda" else 1e-7  # clda stands behind an iterative variance
    for ours, theirs in zip(after, before, strict=True):
        assert ours["term"] == theirs["term"]
        if ours["term"] not in ("difference", "ancova minus change score"):
            continue
        assert ours["estimate"] == pytest.approx(scale * theirs["estimate"], rel=rel)
        assert ours["p_value"] == pytest.approx(theirs["p_value"], rel=rel)
        if ours.get("std_error"):
            assert ours["std_error"] == pytest.approx(scale * theirs["std_error"], rel=rel)
            assert ours["df"] == pytest.approx(theirs["df"], rel=10 * rel)
