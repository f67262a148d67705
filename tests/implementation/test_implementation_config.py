"""config/implementation.yaml: what is said before the first job where it does not agree."""

from __future__ import annotations

import pytest

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.implementation import Implementation, load_implementation, misplaced
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.study import Study, load_study
from ccp_analysis.config.trial import Trial, configuration_files
from ccp_analysis.errors import StudyError

WHOLE = """\
reach: {variable: told_month6, code: "yes", label: Told}
steps: [{id: first, label: First}, {id: second, label: Second}]
fidelity: {instrument: closeness, visit: month6, high: 14}
exposures: {uptake: Told, dose: Contacts, fidelity: Per point, high_fidelity: High}
practitioners: {profession: job, of_interest: social_worker}
ratings:
  - {id: manual, label: Manual, who: practitioners, items: {useful: Useful, clear: Clear}}
  - {id: users, label: Users, who: participants, visit: month6, beside: manual,
     items: {liked: Liked, clear_to_me: Clear}}
barriers: [{id: no_time, label: No time, domain: individuals}]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config" / "implementation.yaml"


def read(folder, text) -> Implementation:
    folder.write_text(text, encoding="utf-8")
    return load_implementation()


def raw(file, name, visit="", codes=()) -> Column:
    content = dict.fromkeys(Column.model_fields, "") | {"file": file, "column": name, "name": name}
    content |= {"visit": visit, "type": "text", "codes": dict.fromkeys(codes, []), "missing": {}}
    return Column.model_construct(**content)


def faults(asked, study, people=()) -> list[str]:
    dictionary = [
        raw("contacts", "participant"),
        raw("contacts", "step", codes=("first", "second")),
        raw("staff", "practitioner"),
        raw("staff", "job", codes=("nurse", "social_worker")),
        *(raw("staff", n, v) for n in ("useful", "clear", "no_time") for v in ("early", "late")),
        raw("followup", "told", "month6", codes=("yes", "no")),
    ]
    closeness = Instrument.model_construct(range=(0.0, 20.0))
    return list(misplaced(asked, study, dictionary, {"closeness": closeness}, set(people)))


@pytest.fixture
def study() -> Study:
    shipped = load_study()
    files = dict(shipped.files)
    files = {"contacts": files.pop("delivery"), "staff": files.pop("practitioners"), **files}
    delivery = shipped.delivery.model_copy(update={"file": "contacts"})
    return shipped.model_copy(update={"files": files, "delivery": delivery})


def test_a_study_without_such_files_is_told_so(study, folder):
    asked, files = read(folder, WHOLE), {"followup": study.files["followup"]}
    assert faults(asked, study, PEOPLE) == []
    found = faults(asked, study.model_copy(update={"files": files, "delivery": None}), PEOPLE)
    assert any("steps: config/study.yaml has no delivery" in sentence for sentence in found)
    assert any("has no file with rows: practitioner" in sentence for sentence in found)


PEOPLE = ("told_month6", "closeness_month6", "liked_month6", "clear_to_me_month6")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("told_month6", "tolt_month6", "line 1: reach.variable: 'tolt_month6' is not one of"),
        ('code: "yes"', 'code: "ja"', "line 1: reach.code: 'ja' is not one of the codes"),
        ("id: second", "id: third", "steps.1: 'third' is not one of the codes of 'step'"),
        ("instrument: closeness", "instrument: close", "most like it: 'closeness'"),
        ("high: 14", "high: 21", "fidelity.high: 21 is not within 0 to 20"),
        ("of_interest: social_worker", "of_interest: clerk", "'clerk' is not one of the codes"),
        ("{useful:", "{usefull:", "'usefull_early' is not one of the variables of practitioners"),
        ("{liked:", "{likd:", "'likd_month6' is not one of the variables; most like it"),
        ("no_time", "no_tim", "barriers.0: 'no_tim_early' is not one of"),
    ],
)
def test_what_does_not_stand_elsewhere_is_named(study, folder, old, new, said):
    assert old in WHOLE
    found = faults(read(folder, WHOLE.replace(old, new)), study, PEOPLE)
    assert any(said in sentence for sentence in found), found
    assert all(s.startswith("config/implementation.yaml, line ") for s in found)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("beside: manual", "beside: manuel", "most like it: 'manual'"),
        ("clear: Clear}}\n", "clear: Clear}, top: [9]}\n", "the top box 9 is not one of the scale"),
        ("steps: [{id: first, label: First}, {id: second, label: Second}]\n", "", "is no dose"),
        (", clear_to_me: Clear", "", "1 items stand beside the 2 of 'manual'"),
        ("who: participants, visit: month6", "who: participants", "a visit goes with"),
        ("id: second", "id: first", "'first' stands 2 times"),
        (", of_interest: social_worker", "", "profession and of_interest go together"),
        (
            "fidelity: {instrument: closeness, visit: month6, high: 14}\n",
            "",
            "there is no fidelity",
        ),
        ("barriers:", "smallest_cell: 5\nbarriers:", "smallest_cell is gone: practitioners are"),
    ],
)
def test_what_does_not_agree_within_the_file_is_said(folder, old, new, said):
    assert old in WHOLE
    with pytest.raises(StudyError) as error:
        read(folder, WHOLE.replace(old, new))
    assert any(said in fault for fault in error.value.faults)


def test_an_edit_reaches_the_rule():
    assert "config/implementation.yaml" in configuration_files()["implement"]


def test_without_the_file_there_is_nothing(folder):
    assert load_implementation() is None
    assert Trial().implementation is None
