"""Configuration files: what is accepted, and the sentence for each thing that is not."""

from __future__ import annotations

import pytest

from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.instruments import load_instruments, unit_of
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.reading import place, read_yaml
from ccp_analysis.config.study import load_study
from ccp_analysis.config.trial import configuration_files
from ccp_analysis.errors import StudyError


def load_all() -> None:
    load_dictionary(load_study())
    load_instruments()
    load_plan()
    load_economics()


def test_the_two_studies_are_read(ccp_study):
    study = load_study()
    assert study.arms.ordered == ["control", "intervention"]
    assert [v.id for v in study.visits] == ["baseline", "month6"]
    assert (study.baseline.id, study.roster) == ("baseline", "recruitment")
    assert study.data_label == "SYNTHETIC DATA"
    dictionary = load_dictionary(study)
    assert {c.file for c in dictionary} == set(study.files)
    age = next(c for c in dictionary if c.name == "age")
    assert (age.variable, age.minimum, age.maximum, age.unit) == ("age", 18, 100, "years")
    assert age.missing == {"-99": "not answered", "NA": "not recorded", "not asked": "not asked"}
    vas = next(c for c in dictionary if c.column == "eq_vas" and c.file == "followup")
    assert vas.variable == "eq_vas_month6"
    instruments = load_instruments()
    assert unit_of("utility", instruments, dictionary) == "utility"
    assert unit_of("age", instruments, dictionary) == "years"
    assert unit_of("qpr_01", instruments, dictionary) == "points"
    assert load_plan().outcomes_of(load_plan().analysis("mixed"))[0].id == "social_capital"


def test_a_study_without_clusters_losses_or_economics(btheb_study):
    study = load_study()
    assert study.clusters is None
    assert study.losses is None
    assert load_economics() is None
    assert len(study.follow_ups) == 4
    listed = configuration_files()
    assert not any("economics" in path for paths in listed.values() for path in paths)


# file, text, what it becomes, what the sentence says
FAULTS = {
    "yaml": ("study.yaml", "arms:\n", "arms: [\n", "config/study.yaml, line "),
    "key twice": (
        "analysis.yaml",
        "baseline_table:",
        "covariates: [age]\nbaseline_table:",
        "not valid YAML (the key 'covariates' stands twice)",
    ),
    "control character": ("study.yaml", "id: ccp", "id: c\x07p", "study.yaml: not valid YAML"),
    "30 February": (
        "study.yaml",
        "2021-03-31",
        "2021-02-30",
        "config/study.yaml, line 7: data_date: Input should be a valid date",
    ),
    "unknown key": (
        "analysis.yaml",
        "seed: ",
        "sed: 1\nseed: ",
        ": sed: unknown key; most like it: 'seed' (found: 1).",
    ),
    "missing key": (
        "study.yaml",
        "randomised: false",
        "",
        "config/study.yaml: randomised: is missing.",
    ),
    "type": (
        "analysis.yaml",
        "imputations: 2",
        "imputations: many",
        ": imputation.imputations: Input should be a valid integer",
    ),
    "too few": ("analysis.yaml", "imputations: 2", "imputations: 1", "greater than or equal to 2"),
    "level": ("analysis.yaml", "level: 0.95", "level: 95", "confidence_level: Input should be"),
    "nan": ("analysis.yaml", "level: 0.95", "level: .nan", "confidence_level: Input should be"),
    "reference": (
        "study.yaml",
        "reference: control",
        "reference: usual",
        ": arms: two arms are expected, one of them the reference",
    ),
    "third arm": (
        "study.yaml",
        "    control: Usual practice\n",
        "    control: Usual practice\n    other: Other\n",
        "two arms are expected",
    ),
    "months": ("study.yaml", "months: 6", "months: 0", "months must increase"),
    "visit twice": (
        "study.yaml",
        "{id: month6",
        "{id: baseline",
        "every visit needs an id of its own",
    ),
    "visit in visit": (
        "study.yaml",
        "{id: month6",
        "{id: at_baseline",
        "ends in the id of another",
    ),
    "visit file": (
        "study.yaml",
        "file: followup}",
        "file: follow_up}",
        "'follow_up' is not one of the files (recruitment, teams, baseline, followup, status, ",
    ),
    "rows of a visit": (
        "study.yaml",
        "followup.csv, rows: participant",
        "followup.csv, rows: event",
        "files: 'followup' needs rows: participant",
    ),
    "losses": ("study.yaml", "{file: status, event", "{file: teams, event", "needs rows: event"),
    "expected": (
        "study.yaml",
        "month6: 127",
        "month12: 127",
        "expected: 'month12' is neither 'recruited' nor a visit",
    ),
    "data status": (
        "study.yaml",
        "data_status: synthetic",
        "data_status: fake",
        "data_status: Input should be 'synthetic', 'public' or 'real' (found: 'fake').",
    ),
    "analysis twice": (
        "analysis.yaml",
        "{id: mixed, role",
        "{id: ancova, role",
        "analyses: every id must be its own",
    ),
    "outcome twice": (
        "analysis.yaml",
        "{id: recovery, role",
        "{id: wellbeing, role",
        "outcomes: every outcome may stand once",
    ),
    "model": ("analysis.yaml", "model: ancova", "model: anova", "analyses.0.model: Input should"),
    "no visit": (
        "analysis.yaml",
        "model: ancova, visit: month6,",
        "model: ancova,",
        "a visit is expected",
    ),
    "pooling of what is not imputed": (
        "analysis.yaml",
        "visit: month6, data: observed}",
        "visit: month6, data: observed, pooling: complete-data}",
        "pooling: complete-data goes with imputed data and the models ancova, change, ancova-over",
    ),
    "visits of a repeated model": (
        "analysis.yaml",
        "model: ancova, visit: month6,",
        "model: repeated, visit: month6,",
        "visit does not go with model: repeated, whose one difference is an average",
    ),
    "slopes of what is no MMRM": (
        "analysis.yaml",
        "model: ancova, visit: month6,",
        "model: ancova, baseline: one-slope, visit: month6,",
        "baseline: one-slope goes with model: mmrm only",
    ),
    "slopes of another kind": (
        "analysis.yaml",
        "model: clda, data",
        "model: mmrm, baseline: none, data",
        "baseline: Input should be 'by-visit' or 'one-slope'",
    ),
    "reversed item": (
        "instruments.yaml",
        "    minimum_answered: 0.3",
        "    reversed: [goal_9]\n    minimum_answered: 0.3",
        "goal_attainment: 'goal_9' is not one of the items",
    ),
    "item twice": ("instruments.yaml", "[goal_1, goal_2,", "[goal_1, goal_1,", "item stands twice"),
    "range": ("instruments.yaml", "range: [0, 10]", "range: [10, 0]", "from a lower to a higher"),
    "share": ("instruments.yaml", "answered: 0.3", "answered: 30", "less than or equal to 1"),
    "value set": (
        "instruments.yaml",
        "    value_set: config/eq5d5l_england_2018.csv\n",
        "",
        "a value set file goes with score: value_set, and only with it",
    ),
    "price year": (
        "economics.yaml",
        "price_year: 2020",
        "price_year: soon",
        "expected a year, as 2020",
    ),
    "dictionary header": ("dictionary.csv", "label,type", "label,kind", "line 1: column 'type' is"),
    "dictionary cells": (
        "dictionary.csv",
        "baseline,age,age,,Age,",
        "baseline,age,age,,Age, in years,",
        "config/dictionary.csv, line 11: 14 cells found, 13 expected",
    ),
    "dictionary type": (
        "dictionary.csv",
        "Age,integer",
        "Age,int",
        "config/dictionary.csv, line 11: type: Input should be",
    ),
    "dictionary file": (
        "dictionary.csv",
        "baseline,age,age",
        "basline,age,age",
        "line 11: file 'basline' is not in config/study.yaml; most like it: 'baseline'.",
    ),
    "dictionary visit": (
        "dictionary.csv",
        "interview_date,month6",
        "interview_date,month7",
        "visit 'month7' is not in config/study.yaml; most like it: 'month6'.",
    ),
    "dictionary name": ("dictionary.csv", "baseline,age,age", "baseline,age,Age", "name 'Age'"),
    "dictionary limit": (
        "dictionary.csv",
        "not asked=not asked,18,100,years",
        "not asked=not asked,eighteen,100,years",
        "line 11: minimum: Input should be a valid number",
    ),
    "dictionary nan": (
        "dictionary.csv",
        "not asked=not asked,18,100,years",
        "not asked=not asked,nan,100,years",
        "line 11: minimum: Input should be a finite number",
    ),
    "dictionary limits": (
        "dictionary.csv",
        "not asked=not asked,18,100,years",
        "not asked=not asked,100,18,years",
        "line 11: the minimum 100 lies above the maximum 18.",
    ),
    "limits of a category": (
        "dictionary.csv",
        "to_team,to_team,,Team moved to,category,",
        "to_team,to_team,,Team moved to,date,",
        None,
    ),
    "category without codes": (
        "dictionary.csv",
        "trust,trust,,NHS Trust,category,trust_a=Trust A; trust_b=Trust B; trust_c=Trust C; "
        "trust_d=Trust D; trust_e=Trust E",
        "trust,trust,,NHS Trust,category,",
        "line 7: a category needs codes, as in 0=No;1=Yes.",
    ),
    "ordinal of words": (
        "dictionary.csv",
        "trust,trust,,NHS Trust,category",
        "trust,trust,,NHS Trust,ordinal",
        "line 7: code 'trust_a' found; the codes of an ordinal are numbers.",
    ),
    "spelling of two codes": (
        "dictionary.csv",
        "male=Male|M|",
        "male=Male|F|",
        "'F' belongs to the codes female and male.",
    ),
    "column twice": (
        "dictionary.csv",
        "baseline,gender,gender,",
        "baseline,age,gender,",
        "line 12: column 'age' stands already in line 11.",
    ),
    "variable twice": (
        "dictionary.csv",
        "recruitment,recruited,recruited,",
        "recruitment,recruited,age,",
        "line 11: the variable 'age' stands already in line 4.",
    ),
}
FAULTS.pop("limits of a category")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_a_sentence_that_names_the_file(ccp_study, fault):
    name, old, new, sentence = FAULTS[fault]
    ccp_study.change(f"config/{name}", old, new)
    with pytest.raises(StudyError) as caught:
        load_all()
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"config/{name}")
    assert "\n" not in str(caught.value)


# file, text, what it becomes, what the line named begins with (nothing: no line), the sentence
PLACES = {
    "key": (
        "study.yaml",
        "randomised: false",
        "randomised: perhaps",
        "randomised:",
        "randomised: ",
    ),
    "missing key": ("study.yaml", "randomised: false", "", "", "randomised: is missing."),
    "missing key within": (
        "study.yaml",
        "  reference: control\n",
        "",
        "arms:",
        "arms.reference: is missing.",
    ),
    "entry of a list": (
        "study.yaml",
        "{id: month6, label",
        "{id: month6, lable: x, label",
        "  - {id: month6",
        "visits.1.lable: unknown key",
    ),
    "expected": (
        "study.yaml",
        "month6: 127",
        "month12: 127",
        "expected:",
        "expected: 'month12' is neither 'recruited' nor a visit",
    ),
    "thresholds": (
        "economics.yaml",
        "  32500, 35000,",
        "  35000, 32500,",
        "             35000, 32500,",
        "thresholds: number 15 of the list is 32500 and stands behind 35000; expected in",
    ),
    "threshold not listed": (
        "economics.yaml",
        "main_thresholds: [20000",
        "main_thresholds: [21000",
        "main_thresholds:",
        "main_thresholds: 21000 is not one of the thresholds",
    ),
    "entry by its id": (
        "economics.yaml",
        "perspective: societal}",
        "perspective: social}",
        "  - {id: societal,",
        "sensitivity 'societal': 'social' is not one of the perspectives",
    ),
    "nothing varied": (
        "economics.yaml",
        ", data: observed}",
        "}",
        "  - {id: complete_cases",
        "sensitivity.4: sensitivity 'complete_cases' differs in nothing",
    ),
    "share": (
        "economics.yaml",
        "  caseload: 300",
        "  # caseload: 300",
        "  share:",
        "intervention: share: caseload needs",
    ),
    "instrument": (
        "instruments.yaml",
        "range: [0, 10]",
        "range: [10, 0]",
        "  goal_attainment:",
        "instruments.goal_attainment: the range must go",
    ),
}


@pytest.mark.parametrize("fault", PLACES)
def test_a_fault_of_a_file_of_keys_names_the_line(ccp_study, fault):
    name, old, new, begins, sentence = PLACES[fault]
    if fault == "share":
        ccp_study.change("config/economics.yaml", "share: participants", "share: caseload")
    ccp_study.change(f"config/{name}", old, new)
    lines = (ccp_study / "config" / name).read_text().splitlines()
    named = [n for n, line in enumerate(lines, start=1) if begins and line.startswith(begins)]
    where = f"config/{name}" + (f", line {named[0]}" if begins else "")
    with pytest.raises(StudyError) as caught:
        load_all()
    assert str(caught.value).startswith(f"{where}: {sentence}")


def test_the_place_of_a_key(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# first\none: 1\nlist:\n  - {id: a}\n  - {id: b, deep: {er: 2}}\n3: x\n")
    assert place(path, "list", 1, "deep", "er") == f"{path}, line 5"
    assert place(path, "list", "b") == f"{path}, line 5"
    assert place(path, "list", "c") == f"{path}, line 3"
    assert place(path, 3) == f"{path}, line 6"
    assert place(path, "two") == str(path)


def test_limits_of_what_is_no_number(ccp_study):
    path = ccp_study / "config/dictionary.csv"
    path.write_text(path.read_text() + "status,more,more,,More,date,,,0,1,,,\n")
    with pytest.raises(StudyError, match="a minimum or maximum does not go with the type date"):
        load_all()


def test_all_faults_are_listed_for_the_log(ccp_study):
    ccp_study.change("config/dictionary.csv", "Age,integer", "Age,int")
    ccp_study.change("config/dictionary.csv", "female=Female|F", "female=Female|Male|F")
    ccp_study.change("config/dictionary.csv", "interview_date,month6", "interview_date,month7")
    with pytest.raises(StudyError) as caught:
        load_all()
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "config/dictionary.csv, line 11",
        "config/dictionary.csv, line 12",
        str(caught.value.faults[2].partition(":")[0]),
    ]
    assert "month7" in caught.value.faults[2]
    assert str(caught.value) == caught.value.faults[0] + " (2 more in the log)"


@pytest.mark.parametrize(
    "name", ["study.yaml", "analysis.yaml", "instruments.yaml", "dictionary.csv"]
)
def test_missing_empty_and_unreadable_files(ccp_study, name):
    path = ccp_study / "config" / name
    path.write_bytes(b"title: \xff\n")
    with pytest.raises(StudyError, match=f"config/{name}, line 1: not UTF-8 text"):
        load_all()
    path.write_text("")
    with pytest.raises(StudyError, match=f"config/{name}: "):
        load_all()
    path.unlink()
    with pytest.raises(StudyError, match=f"config/{name}: the file is missing; expected a"):
        load_all()


def test_a_list_where_keys_are_expected(ccp_study):
    (ccp_study / "config/study.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(StudyError, match="expected keys with values, found a list"):
        load_study()


def nested(levels: int) -> str:
    return "".join(f"{'  ' * level}a{level}:\n" for level in range(levels))


def aliases(levels: int, start: str, of: str) -> str:
    lines = [f"a0: &a0 {start}"]
    lines += [f"a{n}: &a{n} " + of.format(f"*a{n - 1}") for n in range(1, levels)]
    return "\n".join(lines) + "\n"


NINE = ", ".join(["{0}"] * 9)
TOO_MUCH = {
    "nested": (nested(600), "line 50: not valid YAML (more than 50 levels"),
    "in one line": ("a: " + "[" * 3000 + "]" * 3000, "line 1: not valid YAML (more than 50 levels"),
    "lists": (aliases(10, "[x, x]", f"[{NINE}]"), "not valid YAML (more than 20000 entries, those"),
    "merged": (
        aliases(10, "{a: 1, b: 2}", "{{<<: [" + NINE + "]}}"),
        "not valid YAML (more than 20000 entries, those behind an alias",
    ),
    "chain": (aliases(3000, "[x]", "[{0}]"), "not valid YAML (more than 50 levels"),
    "itself": ("a: &a {b: [*a]}", "line 1: not valid YAML ('*a' stands within what it stands for)"),
    "wide": ("".join(f"k{n}: 1\n" for n in range(10_001)), "more than 20000 entries"),
    "long": ("a: " + "x" * 1_000_001, "1000004 letters found; expected no more than 1000000"),
    "tag": ("a: !!timestamp soon", "line 1: not valid YAML (could not determine a constructor"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_more_yaml_than_any_configuration_needs_is_a_sentence(tmp_path, what):
    text, sentence = TOO_MUCH[what]
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(StudyError) as caught:
        read_yaml(tmp_path / "a.yaml")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_few_aliases_stand_for_what_they_name(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: [2]}\n")
    same = {"x": "1"}
    assert read_yaml(tmp_path / "a.yaml") == {"a": same, "b": same, "c": {**same, "y": ["2"]}}


@pytest.mark.parametrize("codes", [("0", "1"), ("01", "010"), ("no", "yes"), ("1e3", "1_0")])
@pytest.mark.parametrize("mark", ["", "'"])
def test_codes_are_what_is_written_with_or_without_quotation_marks(ccp_study, codes, mark):
    """YAML by itself reads 0 as a number, 010 as 8 and no as false."""
    first, second = (f"{mark}{code}{mark}" for code in codes)
    ccp_study.change("config/study.yaml", "reference: control", f"reference: {first}")
    ccp_study.change("config/study.yaml", "    control: Usual", f"    {first}: Usual")
    ccp_study.change("config/study.yaml", "    intervention: Conn", f"    {second}: Conn")
    assert load_study().arms.ordered == list(codes)


def test_a_key_twice_with_and_without_quotation_marks(tmp_path):
    (tmp_path / "a.yaml").write_text("levels: {0: a, '0': b}\n")
    with pytest.raises(StudyError, match="the key '0' stands twice"):
        read_yaml(tmp_path / "a.yaml")


def test_every_configuration_file_is_listed_for_some_rule(ccp_study):
    listed = {path for paths in configuration_files().values() for path in paths}
    files = [path for path in (ccp_study / "config").rglob("*") if path.is_file()]
    there = {path.relative_to(ccp_study.path).as_posix() for path in files}
    unread = {path for path in there - listed if not path.endswith(".md")}
    assert unread == set()
