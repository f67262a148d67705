"""The report of both studies, from what the stages before it really write."""

from __future__ import annotations

import re

import pytest
from matplotlib.figure import Figure
from support import reported

from ccp_analysis.report.marks import plain
from ccp_analysis.report.sections.alike import compared
from ccp_analysis.report.sections.summary import summary
from ccp_analysis.report.sections.target_trial import OPEN
from ccp_analysis.report.source import Source

pytestmark = pytest.mark.study


@pytest.fixture(params=["ccp_done", "btheb_done"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Source:
    folder = request.getfixturevalue(request.param)
    monkeypatch.chdir(folder.path)
    return folder.source()


def test_no_table_lacks_what_the_stages_wrote(source: Source) -> None:
    built = reported.tables(source)
    empty = {name for name, table in built.items() if not table.rows}
    # Scales and checks are made by commands that these copies of the studies have not run.
    unmade = {"scales", "checks", "checks_others", "left_out"}
    # Everything could be estimated.
    unmade |= {"failed"}
    # A plan that was not locked has nothing that it could deviate from.
    unmade |= set() if source.compared.history else {"deviations"}
    assert empty <= {"queries", "query_counts", *unmade}
    assert len(built["comparison"].rows) == len(source.plan.outcomes)
    differences = [a for a in source.plan.analyses if a.outcomes is None]
    assert len(built["methods"].rows) >= len(differences)
    for name in ("comparison", "baseline", "observed", "missing"):
        gaps = [row for row in built[name].rows if None in row]
        # What is not imputed has no number of imputations, and a mean has no categories.
        assert all(row.count(None) <= 1 for row in gaps), name


def test_every_label_is_in_words(source: Source) -> None:
    codes = {o.id for o in source.plan.outcomes} | set(source.study.arms.levels)
    codes |= {visit.id for visit in source.study.visits}
    for name, table in reported.tables(source).items():
        if name not in ("queries", "imputation_models"):
            cells = {cell for row in table.rows for cell in row} | set(table.header)
            assert not codes & cells, name


def test_the_target_trial_stands_beside_a_study_that_is_not_randomised(source: Source) -> None:
    own = {"target_trial", "trend", "target"}
    built = reported.tables(source)
    if source.study.randomised:
        assert not own & set(built)
        assert source.study.target_trial is None
        return
    assert reported.claimed_in_vain(source, "trend", "target", "cheers") == []
    rows = {row[0]: row[1:] for row in built["target_trial"].rows}
    assert "10 teams in 5 Trusts, 5 with usual practice and 5 with Conn" in rows["Assignment"][1]
    assert "Implementation did not fully occur" in rows["Treatment strategies"][2]
    assert rows["Causal contrast"][1].startswith("Treatment policy: difference between the arms")
    # The target trial and where it differs are given; five parts of the study are not known here.
    asked = [[OPEN in cell for cell in cells] for cells in rows.values()]
    assert [sum(column) for column in zip(*asked, strict=True)] == [0, 5, 0]


def test_figures_are_drawn(source: Source) -> None:
    drawn = 0
    for name in reported.figure_names(source):
        if reported.is_drawn(source, name):
            assert isinstance(reported.draw(source, name), Figure)
            drawn += 1
    assert drawn >= 5


def test_what_is_said_of_who_was_allocated(source: Source) -> None:
    """Balance, weights and unmeasured differences, where arms were not drawn; else balance."""
    built, text = reported.tables(source), reported.text(source).replace("\\", "")
    assert "None" not in text
    figures = {"alike", "overlap", "unmeasured"} & set(reported.figure_names(source))
    if source.study.randomised:
        assert len(built["alike"].rows) == len(compared(source)) > 0
        assert not {"unmeasured", "weights", "strengths"} & set(built) and not figures
        assert "were not allocated at random" not in text
        return
    assert len(figures) == 3 and all(reported.is_drawn(source, name) for name in figures)
    assert len(built["unmeasured"].rows) == len(source.plan.outcomes)
    [paragraph] = [said for heading, said in summary(source) if heading.startswith("Allocation")]
    assert len(re.findall(r"\.(?: |$)", re.sub(r"\d\.\d", "", paragraph))) == 2
    assert "unmeasured difference of more than" in paragraph and paragraph in text


# Not works that are cited: checklists by their year, registrations, sources of value sets, dates.
NAME = r"(?:van |von |Des |O')?[A-ZÀ-Ý][\w’-]*[a-zà-ÿ]"
ALSO = rf"(?:(?:, {NAME})*,? and {NAME}| et al\.)?"
CITED = rf"(?<!\d )({NAME}){ALSO}(?:'s)? \(?((?:19|20)\d\d)(?=[);.]| \()"
LISTED = rf"^({NAME}(?: [A-Z][a-z]\w+)?) [A-Z]{{1,4}}[ ,][^(]*\((\d{{4}})\)"


def test_cited_and_listed_works_are_the_same(source: Source) -> None:
    text = plain(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", reported.text(source)))
    body, _, references = text.replace(source.study.registration, "").partition("# References")
    entries = [" ".join(entry.split()) for entry in references.split("\n\n")]
    listed = {found.groups() for entry in entries if (found := re.match(LISTED, entry))}
    assert len(listed) == sum(bool(re.search(r"\(\d{4}\)\.", entry)) for entry in entries) > 5
    assert set(re.findall(CITED, " ".join(body.split()))) == listed
