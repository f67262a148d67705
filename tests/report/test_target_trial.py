"""The target trial beside the study, and the checklists of designs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from made_up import Folder
from support import reported

from ccp_analysis.config.study import CHECKLISTS
from ccp_analysis.config.target_trial import Component, TargetTrial
from ccp_analysis.report.sections import checklist, consort, target, trend
from ccp_analysis.report.sections.target_trial import OPEN, lines
from ccp_analysis.report.source import Source

ITEMS = {
    "trend": trend.ITEMS,
    "target": target.ITEMS,
    "consort": consort.ITEMS + consort.CLUSTERS,
}


def changed(source: Source, **values: Any) -> Source:
    """Return the source of a study with other values in its configuration."""
    return replace(source, study=source.study.model_copy(update=values))


def given(source: Source, **components: Component) -> dict[str, tuple[str, ...]]:
    """Return the lines of the table by component, with what the authors give."""
    source = changed(source, target_trial=TargetTrial(**components))
    return {line.label: line[1:] for line in lines(source)}


def markdown(folder: Folder, source: Source) -> str:
    with folder.inside():
        return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", reported.text(source))


def test_what_the_authors_give_stands_in_the_table(clustered: Folder) -> None:
    whole = Component(ideal=" all who snore", study="those who snored", differs="in nothing.")
    source = clustered.source()
    table = given(source, eligibility=whole, start=Component(authors="when it began"))
    assert table["Eligibility"] == (
        "All who snore.",
        "Everyone recruited and interviewed at start. Those who snored.",
        "In nothing.",
    )
    assert table["Start and end of follow-up"][1].endswith(f" [{OPEN}: when it began.]")
    known = Component(ideal="A", study="B", differs="C")
    everything = TargetTrial(**dict.fromkeys(TargetTrial.model_fields, known))
    complete = changed(source, target_trial=everything)
    assert OPEN not in str(lines(complete))
    text = markdown(clustered, complete)
    assert "## The target trial" in text
    assert "Not complete" not in text


def test_the_table_follows_the_configuration(clustered: Folder) -> None:
    source = clustered.source()
    people = changed(source, clusters=None)
    assert given(people)["Assignment"][1].startswith("Each person is in one arm, which was not")
    assert "unit of inference" not in given(people)["Analysis"][1]
    [first, *_] = source.plan.outcomes
    fewer = replace(source, plan=source.plan.model_copy(update={"outcomes": [first]}))
    assert given(fewer)["Outcome"][1].startswith("Primary: sleep. Seen at end")
    none = [a.model_copy(update={"role": "supporting"}) for a in source.plan.analyses]
    without = replace(source, plan=source.plan.model_copy(update={"analyses": none}))
    assert given(without)["Analysis"][1].startswith("No analysis is the primary one.")


@pytest.mark.parametrize("name", ITEMS)
def test_a_checklist_has_the_items_of_its_source(name: str) -> None:
    assert tuple(item.number for item in ITEMS[name]) == CHECKLISTS[name]
    last = {"trend": 22, "target": 21, "consort": 30}[name]
    found = [re.match(r"\d+", number) for number in CHECKLISTS[name]]
    numbers = dict.fromkeys(int(number[0]) for number in found if number)
    assert list(numbers) == list(range(1, last + 1))


@pytest.mark.parametrize("name", ITEMS)
def test_what_a_checklist_names_is_in_some_report(
    name: str, clustered: Folder, plain: Folder
) -> None:
    """A table or figure that is renamed must not vanish from a checklist."""
    sources = [clustered.source(), plain.source()]
    tables = {table for source in sources for table in reported.table_names(source)}
    figures = {figure for source in sources for figure in reported.figure_names(source)}
    # Neither made-up plan has estimands, or asks what values not missing at random would change;
    # neither study says which events are harms.
    tables |= {"estimands", "deltas", "scenarios", "congenial", "harms"}
    # Neither asks how the intervention was put into practice.
    tables |= {"cascade", "delivered"}
    figures |= {"tipping", "cascade", "fidelity"}
    for item in ITEMS[name]:
        assert tables.issuperset(item.tables), item
        assert figures.issuperset(item.figures), item


@pytest.mark.parametrize(
    ("name", "asked"),
    [("trend", "2 9 13 19 22"), ("target", "2 4 6g 17 20 21")],
)
def test_every_place_that_a_checklist_names_is_there(
    name: str, asked: str, clustered: Folder
) -> None:
    with clustered.inside():
        assert reported.claimed_in_vain(clustered.source(), name) == []
    rows = clustered.rows(f"tables/{name}.csv")
    assert left(name, {row["Item"]: row["Where"] for row in rows}) == asked.split()


def left(name: str, where: dict[str, str]) -> list[str]:
    """Return the items that wait for the authors, each of which says by which key."""
    found = [item for item, text in where.items() if text.startswith(checklist.FOR_AUTHORS)]
    for item in found:
        assert where[item] == f"{checklist.FOR_AUTHORS}, in statements.{name}.{item}."
    return found


PEOPLE = "1a 3 5a 5b 6 8 11 12b 15 16b 17a 17b 18 19 20a 20b 23a 23b 24a 24b 27"
TEAMS = "C1a C2a C2b C4a C5 C8b C9 C10a C10b C10c C21"


def test_a_randomised_trial_has_the_checklist_of_its_kind(plain: Folder, clustered: Folder) -> None:
    with plain.inside():
        assert reported.claimed_in_vain(plain.source(), "consort") == []
    where = {row[0]: row[3] for row in reported.tables(plain.source())["consort"].rows}
    assert list(where) == [item.number for item in consort.ITEMS]
    assert left("consort", where) == sorted([*PEOPLE.split(), "16a"], key=list(where).index)
    assert where["2"].startswith("Registration: REG2")
    randomised = changed(clustered.source(), randomised=True)
    with clustered.inside():
        assert reported.claimed_in_vain(randomised, "consort") == []
    table = reported.tables(randomised)["consort"]
    where = {row[0]: row[3] for row in table.rows}
    assert left("consort", where) == f"{PEOPLE} {TEAMS}".split()
    assert any("Campbell et al. 2012" in note for note in table.notes)
    said = changed(randomised, statements={"consort": {"C4a": "any team", "11": "England"}})
    answers = {row[0]: row[3] for row in reported.tables(said)["consort"].rows}
    assert (answers["C4a"], answers["11"]) == ("Any team.", "England.")
