"""Configuration files: what is accepted, and the sentence for each thing that is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cases import cases

from ccp_analysis.config.dictionary import load_dictionary
from ccp_analysis.config.economics import load_economics
from ccp_analysis.config.instruments import load_instruments, unit_of
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.reading import place, read_lines, read_yaml
from ccp_analysis.config.study import load_study
from ccp_analysis.config.trial import configuration_files
from ccp_analysis.errors import StudyError

ROOT = Path(__file__).parents[2]


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


FAULTS = cases("study/data/faults_of_files.csv")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_a_sentence_that_names_the_file(ccp_study, fault):
    name, old, new, sentence = FAULTS[fault]
    ccp_study.change(f"config/{name}", old, new)
    with pytest.raises(StudyError) as caught:
        load_all()
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"config/{name}")
    assert "\n" not in str(caught.value)


# Of which the line named begins so; nothing: no line is named.
PLACES = cases("study/data/places_of_faults.csv")


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


LENIENT = [
    "a: b\t# c",
    "a: [b?]",
    "a: |+#",
    "a: !",
    "%YAML 1.1#\n---\na: 1",
    "a: 1\n\ufeff",
    "a:\tb",
]


@pytest.mark.parametrize("text", [*LENIENT, "a: [", "\ta: 1", "a: 1\na: 2", "a: b: c", "a: \x07"])
def test_what_is_no_yaml_hangs_on_no_library(tmp_path, monkeypatch, text):
    (tmp_path / "a.yaml").write_text(text + "\n")
    found = []
    for library in (True, False):
        monkeypatch.setattr("yaml.__with_libyaml__", library)
        try:
            found.append(str(read_lines(tmp_path / "a.yaml")))
        except StudyError as error:
            found.append(str(error))
    assert found[0] == found[1]


def test_a_file_is_read_the_same_with_and_without_a_library(monkeypatch):
    files = sorted([*ROOT.glob("config/*.yaml"), *ROOT.glob("examples/*/config/*.yaml")])
    quick = [read_lines(path) for path in files]
    monkeypatch.setattr("yaml.__with_libyaml__", False)
    assert quick == [read_lines(path) for path in files]


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
