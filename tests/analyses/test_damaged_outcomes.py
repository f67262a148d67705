"""Damaged outcomes, several at a time: each is a row with its reason, and stops nothing else."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import reported
from support.study import CCP, StudyFolder, copy_study, once

from ccp_analysis.results.table import read_results

pytestmark = pytest.mark.study

RAW = Path(__file__).parents[2] / "data/raw"
DERIVED = Path("data/derived")
PLAN = "config/analysis.yaml"
TEAMS = pd.read_csv(RAW / "teams.csv").set_index("team")
PEOPLE = pd.read_csv(RAW / "recruitment.csv").set_index("participant")
CONTROL = "control"


def write(folder, file: str, columns: str, value: str, where=None) -> None:
    """Write a value into all columns of a raw file that begin so, where a condition holds."""
    path = folder / f"data/raw/{file}.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows = slice(None) if where is None else where(table)
    table.loc[rows, [c for c in table if c.startswith(columns)]] = value
    table.to_csv(path, index=False, lineterminator="\n")


def arm(table: pd.DataFrame) -> pd.Series:
    return table["participant"].map(PEOPLE["team"]).map(TEAMS["arm"])


def of_outcomes(folder) -> None:
    """Six secondary outcomes, each damaged in its own way, and a binary one without events."""
    write(folder, "baseline", "goal_", "0")
    write(folder, "followup", "eq_vas", "")
    write(folder, "followup", "wemwbs_", "", lambda t: arm(t) == CONTROL)
    write(folder, "followup", "qpr_", "1")
    write(folder, "followup", "scope_", "", lambda t: t.index != 3)
    rng = np.random.default_rng(1)
    more = []
    for file, visit in (("baseline", "baseline"), ("followup", "month6")):
        path = folder / f"data/raw/{file}.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        relapse = np.where(rng.random(len(table)) < 0.4, "yes", "no")
        relapse[(arm(table) == CONTROL) & (file == "followup")] = "no"
        table.assign(relapse=relapse).to_csv(path, index=False, lineterminator="\n")
        more.append(f"{file},relapse,relapse,{visit},Relapse,category,no=No; yes=Yes,,,,,,\n")
    dictionary = folder / "config/dictionary.csv"
    dictionary.write_text(dictionary.read_text() + "".join(more))
    plan = (folder / PLAN).read_text()
    plan = re.sub(
        r"\[social_capital\](?!, pooling)", "[social_capital, goal_attainment, eq_vas]", plan
    )
    numbers = "[social_capital, recovery, wellbeing, goal_attainment, inclusion, utility, eq_vas]"
    analysis = r"(  - \{id: (?!ancova_complete_df)[^\n]*model: [^\n]*)\}"
    plan = re.sub(analysis, rf"\1, outcomes: {numbers}}}", plan)
    eq_vas = "  - {id: eq_vas, role: secondary"
    relapse = "  - {id: relapse, role: secondary, benefit: lower}\n"
    plan = plan.replace(eq_vas, relapse + eq_vas)
    (folder / PLAN).write_text(plan)
    events = "id: events, role: supporting, model: logistic, visit: month6, data: observed"
    events = f"analyses:\n  - {{{events}, outcomes: [relapse]}}\n"
    folder.change(PLAN, "analyses:\n", events)
    folder.change("config/economics.yaml", "cost_per: [social_capital]", "cost_per: [eq_vas]")


def report(folder) -> str:
    """Draw the figures and return the text with all tables."""
    made = folder.source()
    with contextlib.chdir(folder.path):
        for name in reported.figure_names(made):
            if reported.is_drawn(made, name):
                reported.draw(made, name)
        return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", reported.text(made))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    def run(path: Path) -> None:
        folder = copy_study(CCP, path)
        of_outcomes(folder)
        folder.change("config/economics.yaml", "draws: 500", "draws: 100")
        with contextlib.chdir(path):
            folder.all_results()

    return StudyFolder(once(tmp_path_factory, "damaged_outcomes", run))


def results(folder, **where: object) -> pd.DataFrame:
    table = read_results(folder / "reports/results.csv")
    for column, value in where.items():
        table = table[table[column] == value]
    return table


# What is imputed has the reason of the imputation; what is observed, its own.
NOBODY = "'eq_vas_month6' could not be imputed: nobody was observed on it"
REASONS = {
    "goal_attainment": "'goal_attainment_baseline' is the same for everyone",
    "eq_vas": NOBODY,
    "recovery": "the outcome is 15 for everyone",
    "inclusion": "'inclusion_month6' could not be imputed: ",
}


@pytest.mark.parametrize("outcome", REASONS)
def test_a_damaged_secondary_outcome_is_a_row_with_its_reason(outcomes, outcome):
    where = {"analysis": "ancova", "outcome": outcome, "role": "primary"}
    [row] = results(outcomes, **where).to_dict("records")
    refused = "could not be imputed" in REASONS[outcome]
    assert (row["status"], row["term"]) == ("refused" if refused else "failed", "difference")
    assert row["note"].startswith(REASONS[outcome])


BASELINE = "'goal_attainment_baseline' is the same for everyone"
ARM = "nobody in the arm 'Usual practice' has "


@pytest.mark.parametrize(
    ("analysis", "outcome", "reason"),
    [
        ("ancova_complete", "wellbeing", f"{ARM}all that"),
        ("did", "wellbeing", f"{ARM}the outcome at Six months"),
        ("clda_observed", "eq_vas", f"{ARM}the outcome at Six"),
        ("clda_observed", "goal_attainment", "the outcome is 0 for everyone at Baseline"),
        ("mixed_observed", "inclusion", "the arm 'Usual practice' has"),
        ("team_means", "goal_attainment", BASELINE),
        ("checks_ancova", "eq_vas", "nobody has a value of 'eq_vas_month6'"),
        ("checks_mixed", "goal_attainment", BASELINE),
        ("delta", "goal_attainment", BASELINE),
        ("delta", "eq_vas", NOBODY),
        ("reference_based", "eq_vas", NOBODY),
        ("events", "relapse", "Some combination of the covariates predicts the outcome perfectly"),
        ("economics", "cost per eq_vas", NOBODY),
    ],
)
def test_every_stage_says_why_it_has_no_estimate(outcomes, analysis, outcome, reason):
    rows = results(outcomes, analysis=analysis, outcome=outcome)
    failed = rows[rows["status"] == ("refused" if reason == NOBODY else "failed")]
    assert len(failed) >= 1
    assert failed["note"].str.startswith(reason).all()
    assert failed["estimate"].isna().all()


def test_other_outcomes_have_the_numbers_that_they_had(outcomes, ccp_done):
    """What is observed of the primary outcome and of utility does not know of the others."""
    for analysis in ("ancova_complete", "mixed_observed", "team_means_complete", "did"):
        for outcome in ("social_capital", "utility"):
            mine, theirs = (
                results(f, analysis=analysis, outcome=outcome, term="difference")
                for f in (outcomes, ccp_done)
            )
            assert len(mine) == len(theirs) > 0
            for column in ("estimate", "std_error", "df"):
                np.testing.assert_allclose(mine[column], theirs[column], rtol=1e-8)
    main = results(outcomes, outcome="social_capital")
    assert "failed" not in set(main["status"])


def test_the_report_says_what_could_not_be_estimated(outcomes):
    text = report(outcomes)
    built = reported.tables(outcomes.source())
    by_outcome = {row[1]: row for row in built["comparison"].rows}
    labels = [outcomes.source().outcome(name) for name in REASONS]
    assert set(labels) < set(by_outcome)
    for label in labels:
        assert "not estimated" in by_outcome[label]
    listed = {(row[0], row[2]) for row in built["failed"].rows}
    assert ("EQ-5D visual analogue scale", f"{NOBODY}.") in listed
    assert "# What could not be estimated" in text
    assert "Not estimated: " in text.partition("# Participants")[0]
    for reason in REASONS.values():
        assert reason.partition("'")[0] in text
    assert not re.search(r"_active|C\(|\[T\.", text)
