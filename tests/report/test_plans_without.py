"""Whatever a plan lacks, there are tables, figures and a report of the rest."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from support import reported
from support.study import inside

from ccp_analysis import files
from ccp_analysis.config.plan import Plan
from ccp_analysis.report.source import Source
from ccp_analysis.results import stage

ROOT = Path(__file__).parents[2]
STUDIES = {"ccp_done": ROOT, "btheb_done": ROOT / "examples" / "beat_the_blues"}
DERIVED = Path("data/derived")
# What is drawn from other things than the results of analyses, and slowly.
HEAVY = ("check_", "imputation", "tipping", "plane", "patterns", "predictors", "missing")
PARTS = ("checks", "families", "subgroups", "baseline_table", "estimands", "covariates")
GONE, KINDS = ("planned", "sensitivity", "next_study"), ("delta", "reference_based")
Config = dict[str, Any]
Change = Callable[[Config], Config]


def plan_of(fixture: str) -> Config:
    return copy.deepcopy(read_plan(fixture))


@cache
def read_plan(fixture: str) -> Config:
    text = (STUDIES[fixture] / "config/analysis.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def report(source: Source) -> str:
    """Draw what hangs on the analyses, and write the text with all tables."""
    for name in reported.figure_names(source):
        if reported.is_drawn(source, name) and not name.startswith(HEAVY):
            reported.draw(source, name)
    text = reported.text(source).replace("\\", "")
    assert "None" not in text
    return text


def without(plan: Config, gone: set[str]) -> Config:
    """Leave out analyses, and whatever names them."""
    kept = [entry for entry in plan["analyses"] if entry["id"] not in gone]
    left = {"analyses": kept, "checks": [name for name in plan["checks"] if name not in gone]}
    for part in ("families", "subgroups"):
        left[part] = [e for e in plan.get(part, []) if e["analysis"] not in gone]
    deltas = [entry for entry in plan["sensitivity"]["delta"] if entry["analysis"] not in gone]
    left["sensitivity"] = plan["sensitivity"] | {"delta": deltas}
    left["estimands"] = [
        e | {"analyses": [name for name in e.get("analyses", []) if name not in gone]}
        for e in plan["estimands"]
        if not set(e.get("analyses", [])) or set(e["analyses"]) - gone
    ]
    return plan | left


def variants(fixture: str) -> dict[str, Config]:
    plan = plan_of(fixture)
    every = plan["analyses"]
    groups = {f"every second from {k}": {e["id"] for e in every[k::2]} for k in (0, 1)}
    for key in ("model", "data", "role"):
        for value in dict.fromkeys(entry[key] for entry in every):
            groups[f"{key} {value}"] = {e["id"] for e in every if e[key] == value}
    groups["all but the first"] = {entry["id"] for entry in every[1:]}
    groups |= {entry["id"]: {entry["id"]} for entry in every}
    found, seen = {}, set()
    for name, gone in groups.items():
        if len(gone) < len(every) and frozenset(gone) not in seen:
            seen.add(frozenset(gone))
            found[name] = without(plan, gone)
    for part in PARTS:
        found[part] = plan | {part: []}
    for part in GONE:
        found[part] = {key: value for key, value in plan.items() if key != part}
    for kind in KINDS:
        found[kind] = plan | {"sensitivity": plan["sensitivity"] | {kind: []}}
    return found


def planned(source: Source, config: Config) -> Source:
    """Return a source with another plan, and no results that this would not have."""
    plan = Plan.model_validate(config)
    names = {a.id for a in plan.analyses} | {f"checks_{name}" for name in plan.checks}
    names |= {"descriptive", "events", "economics"} | ({"sample_size"} if plan.planned else set())
    names |= {"next_study"} if plan.next_study else set()
    asked = plan.sensitivity
    names |= {entry.id for entry in (*asked.delta, *asked.reference_based)} if asked else set()
    families = {(family.id, family.analysis) for family in plan.families}
    subgroups = {(s.analysis, s.variable) for s in plan.subgroups}
    rows = [
        row
        if (row["family"], row["analysis"]) in families or row["analysis"].startswith("checks_")
        else row | {"family": "", "p_adjusted": None}
        for row in source.results
        if row["analysis"] in names
        and (
            not row["subgroup"]
            or row["analysis"] in ("descriptive", "events", "next_study")
            or (row["analysis"], row["subgroup"].partition(", ")[0]) in subgroups
        )
    ]
    return replace(source, plan=plan, results=rows)


@pytest.fixture(scope="module")
def sources(ccp_done, btheb_done) -> dict[str, Source]:
    return {"ccp_done": ccp_done.source(), "btheb_done": btheb_done.source()}


# Beside these, sets of analyses that overlap, and single ones of a model of which others are left.
ALWAYS = ("model ", "role primary", "all but the first")


def cases() -> list[Any]:
    """All variants; those that repeat what others leave out are for --long."""
    return [
        pytest.param(fixture, name, marks=() if always(fixture, name) else pytest.mark.long)
        for fixture in STUDIES
        for name in variants(fixture)
    ]


def always(fixture: str, name: str) -> bool:
    own = fixture == "ccp_done" or name in ALWAYS or "model" not in name
    return own and (name.startswith(ALWAYS) or name in {*PARTS, *GONE, *KINDS})


@pytest.mark.parametrize(("fixture", "name"), cases())
def test_there_is_a_report_without(sources, fixture, name):
    text = report(planned(sources[fixture], variants(fixture)[name]))
    if name == "model team-means":
        assert "Trusts one by one" not in text
        assert "**Paired team means.**" not in text
    if name in ("model ancova", "role primary") and fixture == "ccp_done":
        assert "There is no primary analysis." in text


def test_there_is_a_report_without_an_evaluation(sources):
    source = sources["ccp_done"]
    rows = [row for row in source.results if row["analysis"] != "economics"]
    nothing = dict.fromkeys(("economics", "draws", "prices", "intervention"))
    text = report(replace(source, results=rows, **nothing))
    assert "Costs and quality-adjusted" not in text


MERGED = {"trust_b": "trust_a", "trust_d": "trust_c", "trust_e": "trust_c"}


@pytest.fixture(scope="module")
def strata(ccp_done, tmp_path_factory):
    """The study with two strata, of two and of three teams in either arm, where it had pairs."""
    folder = replace(ccp_done, path=tmp_path_factory.mktemp("strata"))
    shutil.copytree(ccp_done.path, folder.path, dirs_exist_ok=True)
    for old, new in MERGED.items():
        file = folder / "data/raw/teams.csv"
        file.write_text(file.read_text().replace(old, new))
    for name in ("participants", "imputed"):
        file = folder / f"data/derived/{name}.parquet"
        table = pd.read_parquet(file)
        table["trust"] = table["trust"].astype(str).replace(MERGED)
        with inside(folder.path):
            files.write_parquet(DERIVED / file.name, table)
    plan = plan_of("ccp_done")
    plan["imputation"] |= {"imputations": 2, "iterations": 5}
    del plan["sensitivity"]
    plan["outcomes"] = [o for o in plan["outcomes"] if o["id"] in ("social_capital", "wellbeing")]
    plan["families"][0]["outcomes"] = ["wellbeing"]
    del plan["estimands"]
    (folder / "config/analysis.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    (folder / "config/economics.yaml").unlink()
    with chdir(folder.path):
        for analysis in plan["analyses"]:
            folder.analyse(analysis["id"])
        for analysis in plan["checks"]:
            folder.check(analysis)
        folder.describe()
        names = [a["id"] for a in plan["analyses"]] + [f"checks_{c}" for c in plan["checks"]]
        parts = [DERIVED / f"results/{name}.parquet" for name in [*names, "descriptive"]]
        stage.run(parts=parts, out=Path("reports/results.csv"))
    return folder


@pytest.mark.parametrize("gone", [set(), {"team_means", "team_means_complete"}])
def test_there_is_a_report_of_strata_with_several_clusters_in_an_arm(strata, gone):
    plan = yaml.safe_load((strata / "config/analysis.yaml").read_text())
    plan["analyses"] = [entry for entry in plan["analyses"] if entry["id"] not in gone]
    text = report(planned(strata.source(), plan))
    assert "one by one" not in text
    reason = "Every pair must be two teams, one in each arm"
    assert reason in text  # of the change scores' paired analysis, whatever else there is
    assert ("**Paired team means.**" in text) == (not gone)
    assert "its Trust holds one arm" not in text
