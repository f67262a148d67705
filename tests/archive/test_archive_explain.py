"""Where numbers come from: every row of both studies, and what is said of it."""

from __future__ import annotations

import csv
import importlib
import json
import pkgutil
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.study import StudyFolder, inside, options_of

import ccp_analysis.analyses.models
from ccp_analysis import cli
from ccp_analysis.analyses.checked import fit_checked
from ccp_analysis.analyses.comparison import SUBGROUP, compare
from ccp_analysis.analyses.planned import question_of, visit_of
from ccp_analysis.archive.explained import meaning
from ccp_analysis.archive.explained.whole import Explainer
from ccp_analysis.config.dictionary import Column
from ccp_analysis.economics import compared, setting
from ccp_analysis.economics.outcomes import evaluated
from ccp_analysis.groups import name_of
from ccp_analysis.layout import DERIVED, RESULTS
from ccp_analysis.results.terms import OF, Inference, Model, Pooling, Population, Term

Explanation = dict[str, Any]
OF_STUDIES = ["ccp_done", "btheb_done"]


@pytest.fixture(params=OF_STUDIES)
def done(request: pytest.FixtureRequest) -> Iterator[StudyFolder]:
    """A study that was run, as the current folder."""
    folder: StudyFolder = request.getfixturevalue(request.param)
    with inside(folder.path):
        yield folder


def test_every_row_is_explained_and_agrees_with_tables_dictionary_and_raw_files(
    done: StudyFolder,
) -> None:
    explainer = Explainer()
    count, raw_of = recount(), raw_columns(explainer)
    headers = {spec.path: header_of(spec.path) for spec in explainer.facts.study.files.values()}
    rows = explainer.facts.rows
    assert len(rows) > 400
    for row in rows.values():
        found = explainer.of(row)
        people, model = found["people"], found["model"]
        if row["n"] is not None:
            assert people["agrees"] and people["n"] == row["n"] == count(row, people), row
        left = [one["n"] for one in people["left_out"]]
        if people["counts"] == "people":
            assert people["start"] - sum(left) == people["n"], row
        assert found["number"]["what"] and model["says"] and model["inference"], row
        fitted = row["model"] not in (Model.NONE, Model.DESCRIPTIVE)
        assert not fitted or " ~ " in model["formula"], row
        assert found["raw"] or row["term"] in (Term.NUMBER, Term.PLANNED_DIFFERENCE)
        for leaf in found["raw"]:
            assert leaf["column"] in headers[Path(leaf["path"])], (row, leaf)
        of_row = {(leaf["file"], leaf["column"]) for leaf in found["raw"]}
        assert of_row == set().union(*(raw_of(v["variable"], row) for v in found["variables"])), row
        assert fitted is False or {*people["needed"]} <= {v["variable"] for v in found["variables"]}
        chain_holds(found)


def recount() -> Callable[[dict[str, Any], Explanation], int]:
    """Return what counts people of a row with pandas alone, as its explanation says."""
    participants = pd.read_parquet(DERIVED / "participants.parquet").set_index("participant")
    tables = {
        name: pd.read_parquet(DERIVED / f"{name}.parquet")
        for name in ("imputed", "exposed", "practitioners")
        if (DERIVED / f"{name}.parquet").is_file()
    }
    first = tables["imputed"]
    seen = first[first["imputation"] == 0].set_index("participant")
    completed_once = first[first["imputation"] == 1].set_index("participant")
    analysed = participants[participants.filter(like="interviewed_").iloc[:, 0]]
    as_observed = analysed.drop(columns=[c for c in analysed if c in seen]).join(seen)
    as_completed = analysed.drop(columns=[c for c in analysed if c in seen]).join(completed_once)
    dead = analysed.filter(like="alive_").eq(0).any(axis=1)

    @cache
    def complete(name: str, variable: str) -> pd.Series:
        """Return who has a value in each of the completed tables, or was observed to have one."""
        table = tables[name][tables[name]["imputation"] > 0]
        if variable not in table:
            return analysed[variable].notna()
        times = table.loc[table[variable].notna(), "participant"].value_counts()
        return times.reindex(analysed.index).eq(table["imputation"].nunique())

    def number(row: dict[str, Any], people: Explanation) -> int:
        needed, any_of = people["needed"], people["any_of"]
        if row["population"] == Population.RATERS:
            rated = zip((participants, tables["practitioners"]), any_of, strict=True)
            return int(sum(table[names].notna().any(axis=1).sum() for table, names in rated))
        if row["population"] == Population.DRAWN:
            return len(pd.concat(map(pd.read_parquet, DERIVED.glob("characteristics/quick/*"))))
        if row["population"] == Population.PRACTITIONERS:
            table = tables["practitioners"]
        elif row["population"] == Population.RECRUITED:
            table = participants
        elif row["population"] == Population.NOT_ANALYSED:
            table = participants.drop(analysed.index)
        else:
            table = as_completed if people["imputed"] else as_observed
        keep = pd.Series(True, table.index)
        along = row["analysis"] in ("dose_response", "takers")
        for name in needed:
            if people["imputed"]:
                keep &= complete("exposed" if along else "imputed", name)
                continue
            # What the dead used is known: nothing.
            used = row["analysis"].startswith("economics") and "use" not in row["term"]
            there = table[name].notna()
            keep &= there | dead if used and name.startswith(("su_", "days_")) else there
        for name in people["observed"]:
            keep &= seen[name].notna().reindex(keep.index)
        for variable, code in people["groups"]:
            keep &= table[variable].map(name_of) == code
        if people["without"]:
            variable, code = people["without"]
            keep &= table[variable].map(name_of) != code
        if people["counts"] != "people":
            return int(table.loc[keep, any_of[0]].notna().sum().sum())
        for names in any_of:
            keep &= table[names].notna().any(axis=1)
        return int(keep.sum()) - (row["term"] == Term.WITHOUT_PERSON)

    counts: dict[str, int] = {}

    def counted_once(row: dict[str, Any], people: Explanation) -> int:
        told = [value for name, value in people.items() if name not in ("left_out", "flow", "row")]
        key = repr((row["analysis"].partition("_")[0], row["population"], row["term"], told))
        if key not in counts:
            counts[key] = number(row, people)
        return counts[key]

    return counted_once


def header_of(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file))


def raw_columns(explainer: Explainer) -> Callable[[str, dict[str, Any]], set[tuple[str, str]]]:
    """Return what gives the raw columns of a variable by dictionary and configuration alone."""
    facts = explainer.facts
    study, instruments = facts.study, facts.instruments
    visits = [visit.id for visit in study.visits]

    def of(names: list[str]) -> set[tuple[str, str]]:
        return set().union(*(leaves(name, "") for name in names))

    @cache
    def leaves(name: str, perspective: str, of_staff: bool = False) -> set[tuple[str, str]]:
        rows: list[Column] = [c for c in facts.dictionary if c.variable == name]
        kinds = {c.file: study.files[c.file].rows for c in rows}
        left_out = "participant" if of_staff else "practitioner"
        if rows:
            own = [c for c in rows if kinds[c.file] != left_out] or rows
            return {(c.file, c.column) for c in own}
        stem, visit = next((name.removesuffix(f"_{v}"), v) for v in visits if name.endswith(v))
        died = [study.losses.event, study.losses.date] if study.losses else []
        if stem in instruments:
            one = instruments[stem]
            later = died if one.value_set and visit != visits[0] else []
            return of([*(f"{item}_{visit}" for item in one.items), *later])
        if stem == "cost":
            patterns = facts.economics.perspectives[perspective].services
            used = [c for c in facts.dictionary if c.visit == visit]
            used = [c for c in used if any(fnmatch(c.name, pattern) for pattern in patterns)]
            return {(c.file, c.column) for c in used}
        if stem == "interviewed":
            file = next(v.file for v in study.visits if v.id == visit)
            return {
                (c.file, c.column) for c in facts.dictionary if c.file == file and c.type == "id"
            }
        assert stem == "alive", name
        return of(died)

    def safe(name: str, row: dict[str, Any]) -> set[tuple[str, str]]:
        if name == "contacts":
            named = study.delivery
            assert named
            return of([named.date, named.step, named.practitioner])
        own = row["perspective"]
        known = facts.economics.perspectives if facts.economics else {}
        of_staff = row["population"] in (Population.PRACTITIONERS, Population.RATERS)
        return leaves(name, own if own in known else next(iter(known), ""), of_staff)

    return safe


def chain_holds(found: Explanation) -> None:
    """Everything that a rule reads was written by one before it, or is raw."""
    there = {str(path) for path in found["files"]["raw"]}
    for step in found["made"]:
        if step["rule"] != "clean":
            assert there.issuperset(step["reads"]), step
        there |= set(step["writes"])
        assert (step["rule"] == "results") == (step is found["made"][-1])
    assert all(found["files"]["configuration"].values())
    assert all(found["files"]["derived"].values()), found["files"]["derived"]


def test_rules_write_what_their_commands_are_given(done: StudyFolder) -> None:
    explainer = Explainer()
    by_rule: dict[str, dict[str, Any]] = {}
    for row in explainer.facts.rows.values():
        for step in explainer.made.chain(row):
            by_rule.setdefault(f"{step['rule']} {step['command']}", step)
    for step in by_rule.values():
        analysis = step["command"].rpartition(" --analysis ")[2]
        analysis = (
            analysis if analysis in {a.id for a in explainer.facts.plan.analyses} else "ancova"
        )
        given = options_of(step["rule"], analysis).values()
        paths = {str(path) for one in given for path in (one if isinstance(one, list) else [one])}
        if "(each" in step["command"]:
            continue
        assert paths.issuperset(step["writes"]), step
        read = {path for path in step["reads"] if step["rule"] not in ("clean", "results")}
        assert paths.issuperset(read), step


def variables_of(columns: list[str]) -> set[frozenset[str]]:
    """Return the terms of a design as sets of variables, from what its columns are called."""
    terms = set()
    for column in columns:
        parts = [re.sub(r"\[.*\]|C\(|[`)]", "", part) for part in re.split(", |:", column)]
        known = {"_active": "arm", "_cost_at_baseline": "cost_baseline"}
        known |= {"_utility_at_baseline": "utility_baseline", "_exposure": "exposure"}
        known |= dict.fromkeys(["baseline", *(f"month{m}" for m in (2, 3, 5, 6, 8))], "visit")
        terms.add(frozenset(known.get(part, part) for part in parts))
    return terms - {frozenset({"Intercept"})}


@pytest.fixture
def designs(monkeypatch: pytest.MonkeyPatch) -> list[set[frozenset[str]]]:
    """The terms of every design that is fitted from now on."""
    seen: list[set[frozenset[str]]] = []
    package = ccp_analysis.analyses.models
    for one in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{one.name}")
        if hasattr(module, "fitted"):
            fit = module.fitted

            def recorded(
                model: Any, columns: list[str], *more: Any, fit: Any = fit, **by: Any
            ) -> Any:
                seen.append(variables_of(columns))
                return fit(model, columns, *more, **by)

            monkeypatch.setattr(module, "fitted", recorded)
        if hasattr(module, "least_squares"):

            def squared(X: Any, *more: Any, fit: Any = module.least_squares) -> Any:
                seen.append(variables_of(X.columns))
                return fit(X, *more)

            monkeypatch.setattr(module, "least_squares", squared)
    return seen


def terms_of(found: Explanation) -> set[frozenset[str]]:
    return {frozenset(term) for term in found["model"]["terms"]}


def test_formulas_are_those_of_the_designs_that_are_fitted(
    done: StudyFolder, designs: list[set[frozenset[str]]]
) -> None:
    explainer = Explainer()
    facts, tables = explainer.facts, pd.read_parquet(DERIVED / "imputed.parquet")
    parts = facts.study, facts.instruments, facts.dictionary
    checked = 0
    for entry in facts.plan.analyses:
        for outcome in facts.plan.outcomes_of(entry)[:2]:
            question = question_of(facts.plan, facts.study, entry, outcome, *parts[1:])
            rows = [
                row
                for row in facts.rows.values()
                if (row["analysis"], row["outcome"]) == (entry.id, outcome.id)
                and row["term"] in (Term.DIFFERENCE, Term.LORD, Term.ADJUSTED_MEAN)
                and row["inference"] != Inference.PAIRED_T
            ]
            designs.clear()
            compare(entry.fit, facts.study, tables, entry.data, question)
            for row in rows if entry.model != "team-means" else []:
                assert terms_of(explainer.of(row)) in designs, (row, designs)
                checked += 1
        designs.clear()
    for row in facts.rows.values():
        entry = next((a for a in facts.plan.analyses if a.id == row["analysis"]), None)
        if entry and row["term"] == Term.INTERACTION and visit_of(entry):
            outcome = next(o for o in facts.plan.outcomes if o.id == row["outcome"])
            question = question_of(facts.plan, facts.study, entry, outcome, *parts[1:])
            name = row["subgroup"].partition(", ")[0]
            codes = tuple(c for col in facts.columns[name] for c in col.codes)
            asked = replace(question, subgroup=name, codes=codes)
            compare(SUBGROUP, facts.study, tables, entry.data, asked)
            found = terms_of(explainer.of(row))

            # The columns of a category bear its codes.
            def named(one: set[frozenset[str]], codes: Any = codes, name: str = name) -> Any:
                return {frozenset(name if part in codes else part for part in term) for term in one}

            arm = {frozenset({"arm"})}
            assert any(found == named(one) | arm for one in designs), (row, designs)
            checked += 1
    for analysis in facts.plan.checks:
        row = next(r for r in facts.rows.values() if r["analysis"] == f"checks_{analysis}")
        value, first = f"{row['outcome']}_{row['visit']}", facts.study.baseline.id
        fit = fit_checked(
            facts.study,
            tables,
            row["model"],
            value,
            f"{row['outcome']}_{first}",
            facts.plan.covariates,
            facts.plan.confidence_level,
        )
        assert terms_of(explainer.of(row)) == variables_of(fit.columns)
    assert checked > 10


def test_formulas_of_the_evaluation_are_those_of_its_design(ccp_done: StudyFolder) -> None:
    with inside(ccp_done.path):
        explainer = Explainer()
        facts = explainer.facts
        names = ("imputed", "prices", "costs", "participants")
        tables = [pd.read_parquet(DERIVED / f"{name}.parquet") for name in names]
        read = setting.source(facts.study, facts.plan, facts.economics, *tables)
        settings = {"economics": setting.main_setting(facts.economics)}
        settings |= {
            f"economics_{one.id}": setting.setting_of(read, one)
            for one in facts.economics.sensitivity
            if one.adjust or one.data
        }
        assert len(settings) == 6
        for analysis, asked in settings.items():
            data = compared.compared(facts.study, facts.plan, evaluated(read, asked), asked.data)
            for row in facts.rows.values():
                fitted = row["model"] in (Model.ANCOVA, Model.NET_BENEFIT, Model.LOG_LINK)
                per = row["outcome"].startswith("cost per ") and row["outcome"] != "cost per qaly"
                if row["analysis"] == analysis and fitted and not row["subgroup"] and not per:
                    which = {"cost": 0, "qaly": 1}.get(row["outcome"])
                    own = data.own[which] if data.own and which is not None else data.X
                    assert terms_of(explainer.of(row)) == variables_of(own.columns), row


def test_every_word_of_the_results_is_explained() -> None:
    for words, known in (
        (Term, meaning.MEANS),
        (Inference, meaning.INFERRED),
        (Pooling, meaning.POOLED),
        (Population, meaning.OF_WHOM),
    ):
        assert set(known) == {str(word) for word in words}
    said = meaning.meaning(f"variance{OF}team", "", "", "")
    assert said == "a variance of the model: of team"
    without = [model for model in Model if model.spec.formula is None]
    assert without == [Model.DESCRIPTIVE, Model.NONE]


def explained(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(["explain", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_words_pick_one_row_or_say_what_tells_them_apart(
    ccp_done: StudyFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ccp_done.path)
    monkeypatch.setenv("COLUMNS", "60")
    status, out, _ = explained(capsys, "ancova", "social_capital", "difference")
    assert status == 0 and max(map(len, out.splitlines())) <= 60
    heads = ["The number", "The model", "Whose values", "What was imputed"]
    assert [line for line in out.splitlines() if line in heads] == heads
    formula = "social_capital_month6 ~ arm + social_capital_baseline + age"
    assert formula in " ".join(out.split())
    assert "SYNTHETIC DATA" in out
    row = re.search(r"row (\w{8})", out)
    assert row and explained(capsys, row[1])[1] == out
    assert (
        explained(capsys, "analysis=ancova", "social_capital", "adjusted", "mean", "control")[0]
        == 0
    )
    status, out, err = explained(capsys, "team_means", "social_capital", "difference")
    assert status == 1 and err.count("\n") == 1 and "2 numbers have all of these words" in err
    ids = [line.split()[0] for line in out.splitlines()]
    assert "inference sign-flip" in out and all(explained(capsys, one)[0] == 0 for one in ids)
    assert explained(capsys, "ancva")[2].endswith("most like it: 'ancova'.\n")
    assert (
        "has all of these words: ancova, Gini" in explained(capsys, "ancova", "Gini coefficient")[2]
    )
    assert explained(capsys, "ancova", "recruited")[0] == 1
    assert "Give its id" in explained(capsys)[2]
    found = json.loads(explained(capsys, "--json", ids[0])[1])
    assert found["row"]["row"] == ids[0] and found["people"]["agrees"]


def test_an_unpacked_archive_says_what_it_can(
    ccp_done: StudyFolder,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(ccp_done.path / "config", tmp_path / "config")
    (tmp_path / "archived").mkdir()
    shutil.copyfile(ccp_done.path / RESULTS, tmp_path / "archived/results.csv")
    monkeypatch.chdir(tmp_path)
    status, out, _ = explained(capsys, "ancova", "social_capital", "difference")
    assert status == 0 and "A run (make run) adds" in " ".join(out.split())
    assert "followup.csv: rgu_01 to rgu_27" in " ".join(out.split())
    explainer = Explainer()
    for row in explainer.facts.rows.values():
        assert explainer.of(row)["people"]["n"] is None
    shutil.rmtree(tmp_path / "archived")
    assert "archived/results.csv" in explained(capsys, "ancova")[2]


def test_of_real_data_nothing_of_few_people_is_said(
    ccp_done: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("config", "data/derived"):
        shutil.copytree(ccp_done.path / part, tmp_path / part)
    (tmp_path / "reports").mkdir()
    shutil.copyfile(ccp_done.path / RESULTS, tmp_path / RESULTS)
    study = StudyFolder(tmp_path)
    study.change("config/study.yaml", "data_status: synthetic", "data_status: real")
    monkeypatch.chdir(study.path)
    explainer = Explainer()
    people = set(explainer.facts.participants["participant"])
    for row in list(explainer.facts.rows.values())[::7]:
        found = explainer.of(row)
        text = json.dumps({k: v for k, v in found.items() if k != "files"}, default=str)
        assert not people.intersection(re.findall(r"\w+", text))
        assert found["people"]["n"] is None and not found["people"]["start"]
        assert all(one["n"] is None for one in found["people"]["left_out"])
        imputed = found["imputation"].get("variables", ())
        assert all(not (v["by_arm"] or v["values"] or "note" in v) for v in imputed)
        for query in found["cleaning"]["queries"]:
            assert not isinstance(query["cells"], int) or query["cells"] >= 8
            assert "read as" not in query["action"] or query["action"] == "read as what was meant"
