"""What happened to people: counted by hand, and shares and differences against R."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ccp_analysis.analyses.harms import event_rows
from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.events import ANY_HARM, UNRECORDED
from ccp_analysis.config.study import load_study
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Inference, Population, Role, Status, Term

REFERENCE = json.loads(Path(__file__).with_name("data").joinpath("harms.json").read_text())
DATA = pd.DataFrame(REFERENCE["data"])
LEVELS = {"reference": "control", "active": "intervention", "all": "all"}


def people_of(data: pd.DataFrame) -> pd.DataFrame:
    people = pd.DataFrame({"participant": [f"P{at:03d}" for at in range(len(data))]})
    people["team"] = [f"T{team:02d}" for team in data["team"]]
    people["arm"] = np.where(data["active"] == 1, "intervention", "control")
    return people.assign(interviewed_baseline=True)


def rows_of(people: pd.DataFrame, events: pd.DataFrame, **changes: object) -> pd.DataFrame:
    study = load_study()
    dictionary = load_dictionary(study)
    if "clusters" in changes:
        study = study.model_copy(update={"clusters": changes.pop("clusters")})
    losses = study.losses.model_copy(update=changes)
    study = study.model_copy(update={"losses": losses})
    rows = event_rows(study, dictionary, people, events, 0.95)
    table = results_table([{"role": Role.DESCRIPTIVE} | row for row in rows], "synthetic")
    return table.set_index(["outcome", "population", "term", "level", "subgroup"]).sort_index()


def happened(who, event="adverse_event", reason="injury") -> pd.DataFrame:
    return pd.DataFrame({"participant": list(who), "event": event, "reason": reason})


def at(table, term, level, outcome=ANY_HARM, subgroup="", population=Population.COMPLETED):
    return table.loc[(outcome, population, term, level, subgroup)]


@pytest.mark.parametrize("name", REFERENCE["found"])
def test_shares_and_difference_are_those_of_r(name):
    people = people_of(DATA)
    table = rows_of(people, happened(people["participant"][DATA[name] == 1]))
    for part, theirs in REFERENCE["found"][name].items():
        term = Term.GROUP_DIFFERENCE if part == "difference" else Term.PROPORTION
        row = at(table, term, LEVELS.get(part, "intervention - control"))
        ours = row[["estimate", "conf_low", "conf_high"]].astype(float)
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12)
    many = name == "many"
    found = at(table, Term.PROPORTION, "control")["inference"]
    assert found == (Inference.CR2_LOGIT if many else Inference.EXACT)


def test_people_and_events_are_counted_by_arm_and_those_not_analysed_beside():
    people = people_of(DATA)
    people.loc[people.index[:3], "interviewed_baseline"] = False
    first, other, last = people["participant"].iloc[[0, 20, -1]]
    events = [
        happened([first, other, other, last]),
        happened([last], "death", None),
        happened([other], None, "other"),
        happened(["P999"], "death"),
    ]
    table = rows_of(people, pd.concat(events))
    for term, level, *more, expected in (
        (Term.NUMBER, "control", 1),
        (Term.EVENTS, "control", 2),
        (Term.NUMBER, "intervention", 1),
        (Term.EVENTS, "intervention", 2),
        (Term.EVENTS, "control", "adverse_event", "injury", 2),
        (Term.EVENTS, "all", "death", UNRECORDED, 1),
        (Term.EVENTS, "all", UNRECORDED, "other", 1),
        (Term.NUMBER, "all", "withdrawal", 0),
    ):
        assert at(table, term, level, *more)["estimate"] == expected
    assert at(table, Term.NUMBER, "all")[["estimate", "n"]].tolist() == [2, 148]
    beside = at(table, Term.NUMBER, "all", population=Population.NOT_ANALYSED)
    assert beside[["estimate", "n"]].tolist() == [1, 3]
    counted = table.reset_index()
    apart = counted[counted["population"] == Population.NOT_ANALYSED]
    assert set(apart["term"]) == {Term.NUMBER, Term.EVENTS}


def test_nobody_with_a_harm_has_an_interval_that_is_no_point():
    table = rows_of(people_of(DATA), happened([]))
    for level in ("control", "intervention", "all"):
        row = at(table, Term.PROPORTION, level)
        assert row["estimate"] == 0 and row["conf_high"] > 0.05
    row = at(table, Term.GROUP_DIFFERENCE, "intervention - control")
    assert row["estimate"] == 0 and row["conf_low"] < -0.1 and row["conf_high"] > 0.1


def test_without_harms_there_are_events_and_no_harm():
    people = people_of(DATA)
    table = rows_of(people, happened(["P001"], "moved_team"), harms=[]).reset_index()
    assert ANY_HARM not in set(table["outcome"]) and "moved_team" in set(table["outcome"])
    assert Term.GROUP_DIFFERENCE not in set(table["term"])


def test_an_arm_of_one_team_or_of_nobody_has_no_interval_of_a_difference():
    data = DATA[(DATA["active"] == 1) | (DATA["team"] == 1)]
    apart = (Term.GROUP_DIFFERENCE, "intervention - control")
    row = at(rows_of(people_of(data), happened(["P001"])), *apart)
    assert row["status"] == Status.REFUSED and "a single team" in row["note"]
    assert np.isfinite(row["estimate"]) and np.isnan(row["conf_low"])
    people = people_of(DATA)
    people["interviewed_baseline"] = people["arm"] == "control"
    table = rows_of(people, happened(["P001"]))
    assert at(table, *apart)["status"] == Status.REFUSED and np.isnan(at(table, *apart)["estimate"])
    assert at(table, Term.PROPORTION, "intervention")["status"] == Status.REFUSED


def test_people_alone_have_exact_intervals_without_an_assumption():
    people = people_of(DATA).drop(columns="team")
    table = rows_of(people, happened(people["participant"][DATA["few"] == 1]), clusters=None)
    row = at(table, Term.PROPORTION, "control")
    # Clopper and Pearson of 1 of 76: binom.test(1, 76) of R.
    limits = [0.0003330735711, 0.0711436912517]
    assert row[["conf_low", "conf_high"]].tolist() == pytest.approx(limits, rel=1e-9)
    assert row["note"] == "exact"


def test_teams_that_are_all_alike_have_no_interval_of_no_width():
    data = pd.DataFrame({"team": np.repeat(range(1, 9), 10), "active": np.repeat([0, 1], 40)})
    people = people_of(data)
    who = people.groupby("team")["participant"].head(3)
    row = at(rows_of(people, happened(who)), Term.PROPORTION, "control")
    assert row["inference"] == Inference.EXACT and row["conf_high"] - row["conf_low"] > 0.2
    assert "do not differ" in row["note"]
