"""The rows of the room on a made-up study, and where something is not there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from support.made_up import ASKED, STEPS

from ccp_analysis.cli import main
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.implementation import Implementation
from ccp_analysis.config.instruments import load_instruments
from ccp_analysis.config.plan import load_plan
from ccp_analysis.implementation.done import done_rows
from ccp_analysis.implementation.dose import dose_rows
from ccp_analysis.implementation.received import rating_points, received_rows
from ccp_analysis.implementation.scope import Scope
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Population, Status, Term


def table(rows) -> pd.DataFrame:
    return results_table(rows, "synthetic")


def one(rows: pd.DataFrame, **where) -> pd.Series:
    where = {"subgroup": "", **where}
    found = rows[np.logical_and.reduce([rows[key] == value for key, value in where.items()])]
    assert len(found) == 1, where
    return found.iloc[0]


def associations(scope, participants, delivery, tables) -> pd.DataFrame:
    study = scope.study
    measures = load_instruments(), load_dictionary(study)
    return table(dose_rows(scope, load_plan(), measures, participants, delivery, tables))


def as_real(scope, least: int) -> Scope:
    disclosure = scope.study.disclosure.model_copy(update={"smallest": least})
    real = {"data_status": "real", "disclosure": disclosure}
    return replace(scope, study=scope.study.model_copy(update=real))


def test_the_cascade_counts_steps_that_follow_one_another(scope, participants, delivery):
    rows = table(done_rows(scope, participants, delivery))
    active = participants[participants["arm"] == "intervention"]
    steps = delivery.groupby("participant")["step"].agg(set)
    had = active["participant"].map(steps).map(lambda s: s if isinstance(s, set) else set())
    for at, step in enumerate(STEPS):
        share = had.map(lambda s, at=at: set(STEPS[: at + 1]) <= s).mean()
        row = one(rows, outcome=step, level="intervention", term=Term.REACHED)
        assert row["estimate"] == pytest.approx(share)
        assert 0 < row["conf_low"] < row["estimate"] < row["conf_high"] < 1
        assert (row["n"], row["n_clusters"]) == (80, 5)
    people = rows[(rows["outcome"] == "goals") & (rows["subgroup"] != "")]
    assert len(people) == 10
    assert people["estimate"].groupby(people["level"]).mean()["intervention"] == pytest.approx(
        one(rows, outcome="goals", level="intervention", term=Term.REACHED)["estimate"]
    )
    assert rows["p_value"].isna().all()


def test_steps_out_of_order_do_not_count(scope, participants, delivery):
    person = participants.loc[participants["arm"] == "control", "participant"].iloc[0]
    astray = pd.DataFrame([(person, "x", "goals")], columns=delivery.columns)
    rows = table(done_rows(scope, participants, pd.concat([delivery, astray])))
    goals = one(rows, outcome="goals", level="control", term=Term.REACHED)
    contact = one(rows, outcome="contact", level="control", term=Term.REACHED)
    assert (goals["estimate"], contact["estimate"]) == (0, 1 / 80)


def test_an_arm_without_delivery_has_an_interval_that_says_how_it_was_made(
    scope, participants, delivery
):
    rows = table(done_rows(scope, participants, delivery))
    row = one(rows, outcome="contact", level="control", term=Term.REACHED)
    assert (row["estimate"], row["conf_low"]) == (0, 0)
    # Five teams of 16, worth 80 / 2.5 people.
    assert row["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 32))
    assert "contamination" in row["note"] and "0.00 to 0.52" in row["note"]
    said = one(rows, outcome="reach", visit="month6", level="control", term=Term.REACHED)
    assert said["estimate"] > 0 and "contamination" in said["note"]


def test_fidelity_and_dose_by_team_with_how_alike_teams_are(scope, participants, delivery):
    rows = table(done_rows(scope, participants, delivery))
    own = participants[participants["team"] == "T03"]["fidelity_month6"].dropna()
    row = one(rows, outcome="fidelity", subgroup="T03", term=Term.MEAN)
    assert row["estimate"] == pytest.approx(own.mean()) and row["n"] == len(own)
    spread = one(rows, outcome="fidelity", subgroup="T03", term=Term.SD)
    assert spread["estimate"] == pytest.approx(own.std())
    for outcome in ("fidelity", "dose"):
        alike = one(rows, outcome=outcome, term=Term.INTRACLASS)
        assert 0 <= alike["conf_low"] <= alike["estimate"] <= alike["conf_high"] < 1
        assert alike["level"] == "intervention"
    high = one(rows, outcome="high_fidelity", level="intervention", term=Term.PROPORTION)
    score = participants[participants["arm"] == "intervention"]["fidelity_month6"].dropna()
    assert high["estimate"] == pytest.approx((score >= 14).mean())


def test_fidelity_of_nobody_is_refused_in_a_sentence(scope, participants, delivery, tables):
    nobody = participants.assign(fidelity_month6=np.nan)
    rows = table(done_rows(scope, nobody, delivery))
    row = one(rows, outcome="fidelity", level="intervention", term=Term.MEAN)
    assert row["status"] == Status.REFUSED and row["note"].startswith("nobody of whom")
    rows = associations(scope, nobody, delivery, tables)
    refused = rows[rows["level"].isin(["fidelity", "high_fidelity"])]
    assert (refused["status"] == Status.FAILED).all()
    assert refused["note"].str.contains("is not known of anybody with a follow-up").all()
    assert (rows[rows["level"] == "dose"]["status"] == Status.OK).any()


def test_ratings_are_those_of_a_plain_computation(staff, practitioners):
    rows = staff
    answers = practitioners["use_leaflet_late"].dropna()
    shared = {"outcome": "use_leaflet", "visit": "late"}
    assert one(rows, **shared, term=Term.TOP_BOXES)["estimate"] == (answers >= 4).mean()
    assert one(rows, **shared, term=Term.MEAN)["estimate"] == pytest.approx(answers.mean())
    assert one(rows, **shared, term=Term.MEDIAN)["estimate"] == answers.median()
    both = practitioners[["use_leaflet_late", "clear_leaflet_late"]].dropna()
    whole = one(rows, outcome="leaflet", visit="late", term=Term.TOP_BOXES)
    assert whole["estimate"] == pytest.approx((both >= 4).to_numpy().mean())
    variance = both.sum(axis=1).var()
    alpha = one(rows, outcome="leaflet", visit="late", term=Term.ALPHA)
    assert alpha["estimate"] == pytest.approx(2 * (1 - both.var().sum() / variance))
    before = practitioners[["use_leaflet_early", "clear_leaflet_early"]].mean(axis=1)
    after = practitioners[["use_leaflet_late", "clear_leaflet_late"]].mean(axis=1)
    change = one(rows, outcome="leaflet", term=Term.CHANGE)
    assert change["estimate"] == pytest.approx((after - before).dropna().mean())
    assert (change["level"], change["n"]) == ("late - early", 35)


def test_professions_and_service_users_beside(staff, participants, practitioners):
    rows = staff
    of = {"outcome": "leaflet", "visit": "late"}
    mine = one(rows, **of, subgroup="social_worker", term=Term.MEAN)["estimate"]
    rest = one(rows, **of, subgroup="others", term=Term.MEAN)["estimate"]
    apart = rows[(rows["term"] == Term.GROUP_DIFFERENCE) & (rows["visit"] == "late")]
    row = apart[(apart["outcome"] == "leaflet") & (apart["scale"] == "")].iloc[0]
    assert row["estimate"] == pytest.approx(mine - rest)
    assert row["level"] == "social_worker - others"
    beside = one(rows, outcome="rate_useful", term=Term.GROUP_DIFFERENCE)
    users = participants["rate_useful_month6"].dropna()
    answers = practitioners["use_leaflet_late"].dropna()
    assert beside["estimate"] == pytest.approx((answers >= 4).mean() - (users >= 4).mean())
    assert beside["population"] == Population.RATERS


def test_barriers_and_adoption_of_a_team_without_practitioners(
    scope, participants, practitioners, delivery
):
    fewer = practitioners[practitioners["team"] != "T03"]
    rows = table(received_rows(scope, participants, fewer, delivery))
    row = one(rows, outcome="bar_time", visit="late", subgroup="T03", term=Term.NAMED)
    assert row["status"] == Status.REFUSED
    assert row["note"] == "no practitioner of this team of whom it is known"
    there = one(rows, outcome="bar_time", visit="late", subgroup="T01", term=Term.NAMED)
    own = fewer.loc[fewer["team"] == "T01", "bar_time_late"]
    assert there["estimate"] == own.mean() and there["n"] == 7
    adopted = one(rows, outcome="adoption", level="practitioners", term=Term.PROPORTION)
    assert adopted["n"] == 28 and 0 < adopted["estimate"] < 1


def test_of_real_data_nothing_shows_a_few_practitioners(
    scope, participants, practitioners, delivery
):
    real = as_real(scope, 5)
    rows = table(received_rows(real, participants, practitioners, delivery))
    named = rows[(rows["outcome"] == "bar_time") & (rows["subgroup"] != "")]
    assert (named["status"] == Status.REFUSED).all() and named["estimate"].isna().all()
    assert named["n"].isna().all() and named["note"].str.startswith("not shown").all()
    hidden = table(received_rows(as_real(scope, 40), participants, practitioners, delivery))
    of_staff = hidden["population"] == Population.PRACTITIONERS
    assert hidden[of_staff & hidden["visit"].ne("") & hidden["n"].notna()].query("n < 40").empty
    assert rating_points(as_real(scope, 40), participants, practitioners)["series"].unique() == [
        "participants, month6"
    ]


def test_associations_are_those_of_a_plain_regression(scope, participants, delivery, tables):
    rows = associations(scope, participants, delivery, tables)
    row = one(rows, outcome="recovery", level="fidelity", term=Term.ASSOCIATION)
    completed = tables[(tables["imputation"] == 1) & (tables["arm"] == "intervention")]
    frame = completed.merge(participants[["participant", "fidelity_month6"]], on="participant")
    frame = frame.dropna(subset=["fidelity_month6"])
    names = ["fidelity_month6", "recovery_baseline", "age", "years_in_contact"]
    X = np.column_stack([np.ones(len(frame)), frame[names]])
    team = pd.factorize(frame["team"])[0]
    found = cluster_robust(fit_ols(X, frame["recovery_month6"]), team, np.eye(5)[1])
    for column in ("estimate", "std_error", "df"):
        assert row[column] == pytest.approx(getattr(found, column)[0]), column
    assert row["population"] == Population.EXPOSURE_KNOWN and row["n"] == len(frame)
    assert "no effect" in row["note"] and "left out" in row["note"]
    assert row["conf_low"] < 0.5 < row["conf_high"]
    assert rows["p_value"].isna().all() and rows["statistic"].isna().all()
    both = rows[(rows["outcome"] == "recovery") & (rows["level"] == "fidelity")]
    terms = {Term.ASSOCIATION, Term.WITHIN_CLUSTERS, Term.BETWEEN_CLUSTERS}
    assert set(both["term"]) == terms


def test_an_exposure_that_was_imputed_along_is_that_of_each_table(
    scope, participants, delivery, tables
):
    rng = np.random.default_rng(3)
    score = tables["participant"].map(participants.set_index("participant")["fidelity_month6"])
    drawn = score.fillna(pd.Series(rng.normal(10, 3, len(tables)))).where(
        tables["imputation"] > 0, score
    )
    rows = associations(scope, participants, delivery, tables.assign(fidelity_month6=drawn))
    row = one(rows, outcome="recovery", level="fidelity", term=Term.ASSOCIATION)
    assert "imputed along" in row["note"] and row["population"] == Population.COMPLETED
    inside = (tables["imputation"] == 1) & (tables["arm"] == "intervention")
    assert row["n"] == inside.sum()


def test_an_exposure_that_does_not_vary_is_said(scope, participants, delivery, tables):
    rows = associations(scope, participants, delivery.iloc[:0], tables)
    dose = rows[rows["level"] == "dose"]
    assert dose["note"].str.contains("the exposure 'dose' is the same for everyone").all()


@pytest.fixture
def staff(scope, participants, practitioners, delivery) -> pd.DataFrame:
    """Return the rows of what practitioners and participants say."""
    return table(received_rows(scope, participants, practitioners, delivery))


def test_without_clusters_people_are_the_units(
    scope, participants, delivery, practitioners, tables
):
    alone = replace(scope, study=scope.study.model_copy(update={"clusters": None}))
    rows = done_rows(alone, participants, delivery)
    rows += received_rows(alone, participants, practitioners, delivery)
    rows = table(rows)
    assert (rows["term"] != Term.INTRACLASS).all()
    row = one(rows, outcome="goals", level="intervention", term=Term.REACHED)
    assert row["n_clusters"] == 80


@pytest.fixture
def folder(tmp_path, monkeypatch, participants, practitioners, delivery, tables) -> Path:
    shutil.copytree("config", tmp_path / "config", dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    Path("config/implementation.yaml").write_text(yaml.safe_dump(ASKED), encoding="utf-8")
    made = {"participants": participants, "practitioners": practitioners}
    for name, frame in (made | {"delivery": delivery, "imputed": tables}).items():
        frame.to_parquet(f"{name}.parquet", index=False)
    return tmp_path


def command(*more: str) -> int:
    read = ("--participants", "participants.parquet", "--exposed", "imputed.parquet")
    made = ("--results", "results.parquet", "--log", "log.txt")
    return main(["implement", *read, *made, "--figures", "figures.parquet", *more])


def test_the_command(folder):
    given = ("--practitioners", "practitioners.parquet", "--delivery", "delivery.parquet")
    assert command(*given) == 0
    rows, points = pd.read_parquet("results.parquet"), pd.read_parquet("figures.parquet")
    assert set(rows["analysis"]) == {"implementation", "dose_response", "takers"}
    assert set(points["figure"]) == {"fidelity", "ratings"}
    assert set(rows["data_status"]) == set(points["data_status"]) == {"synthetic"}
    shares = points[points["figure"] == "ratings"].groupby(["outcome", "series"])["y"].sum()
    assert shares.to_numpy() == pytest.approx(1.0)


def test_a_table_that_is_not_there_is_said(folder, capsys):
    assert command("--delivery", "delivery.parquet") == 1
    said = capsys.readouterr().err
    assert "no such table" in said and "asks for its practitioners" in said
    Path("config/implementation.yaml").unlink()
    assert command() == 1
    assert "config/implementation.yaml: the file is missing" in capsys.readouterr().err


def test_reach_alone_is_enough(folder, asked):
    alone = {"reach": ASKED["reach"]}
    Path("config/implementation.yaml").write_text(yaml.safe_dump(alone), encoding="utf-8")
    assert Implementation.model_validate(alone).exposures == {}
    assert command() == 0
    rows = pd.read_parquet("results.parquet")
    assert set(rows["outcome"]) == {"recruited", "interviewed", "reach"}
    assert pd.read_parquet("figures.parquet").empty
