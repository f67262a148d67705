"""What a model, a table, a figure or a key costs: a toy of each, in a copy of the tree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.study import ROOT, report_by

EXAMPLE = Path("examples/beat_the_blues")
CODE = Path("src/ccp_analysis")

ENTRY = """
    # A toy
    HALVED = "halved", ModelSpec("Halved ANCOVA", "halved.halved", methods="**Halved.** A toy.")
"""
FIT = '''"""A toy: half of what ANCOVA finds."""

from ccp_analysis.analyses.models.ancova import ancova
from ccp_analysis.results.terms import Model


def halved(study, imputed, data, ask):
    rows = ancova(study, imputed, data, ask)
    return [{**r, "model": Model.HALVED, "estimate": (r.get("estimate") or 0.0) / 2} for r in rows]
'''
ITEMS = """
from matplotlib.figure import Figure

from ccp_analysis.report.section import FigureItem, TableItem
from ccp_analysis.report.table import Column, Table


def toy_table(source):
    return Table("A toy table", [Column("Arm", str, 10, "l")], ["toy row"])


def toy_figure(source):
    figure = Figure()
    figure.subplots().plot([0, 1])
    return figure


def toys(of):
    yield TableItem("toy", toy_table)
    yield FigureItem("toy", toy_figure, lambda source: ("A toy figure.", "A line."))


SECTION = Section("limits", toys, said=lambda source: {"limits": limits(source)})
"""
KEY = '''
    motto: str | None = None
    """What the study lives by, a toy."""
'''


def put(path: Path, before: str, text: str) -> None:
    """Put a text before the only line that begins so."""
    whole = path.read_text(encoding="utf-8")
    assert whole.count(f"\n{before}") == 1, (path, before)
    path.write_text(whole.replace(f"\n{before}", f"{text}\n{before}"), encoding="utf-8")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with the toys: two files for the model, two for table and figure, one for a key."""
    root = tmp_path_factory.mktemp("toys")
    nothing = shutil.ignore_patterns("__pycache__")
    for part in ("src", "tools", "docs", EXAMPLE / "config", EXAMPLE / "data/raw"):
        shutil.copytree(ROOT / part, root / part, ignore=nothing)
    put(root / CODE / "config/models.py", "    # Of the evaluation", ENTRY.rstrip())
    (root / CODE / "analyses/models/halved.py").write_text(FIT, encoding="utf-8")
    section = root / CODE / "report/sections/limits.py"
    section.write_text(section.read_text(encoding="utf-8") + ITEMS, encoding="utf-8")
    put(
        root / CODE / "report/sections/templates/limits.md.j2",
        "# Limits",
        '\n{{ table("toy") }}\n\n{{ figure("toy") }}\n',
    )
    put(root / CODE / "config/study.py", "    losses: Losses | None = None", KEY.rstrip())
    study, plan = (root / EXAMPLE / "config" / name for name in ("study.yaml", "analysis.yaml"))
    study.write_text(study.read_text(encoding="utf-8") + "motto: less is more\n", encoding="utf-8")
    toy = "  - {id: toy, role: supporting, model: halved, visit: month8, data: observed}"
    put(plan, "  - {id: ancova_complete,", f"\n{toy}")
    return root


@pytest.mark.pipeline
def test_a_model_a_table_and_a_figure_are_seen_in_results_and_report(tree: Path) -> None:
    reports = report_by(tree, tree / EXAMPLE, tree / "study")
    results = pd.read_csv(reports / "results.csv").set_index(["analysis", "term"])["estimate"]
    assert results["toy", "difference"] == results["ancova_complete", "difference"] / 2
    html = (reports / "report.html").read_text(encoding="utf-8")
    for seen in ("Halved ANCOVA", "<strong>Halved.</strong>", "A toy table", "A toy figure"):
        assert seen in html, seen
    assert "toy row" in (reports / "tables/toy.csv").read_text(encoding="utf-8")
    assert (reports / "figures/toy.svg").is_file()


def test_a_key_is_seen_in_schema_and_documentation(tree: Path) -> None:
    path = os.pathsep.join(str(tree / part) for part in ("src", "tools"))
    command = [sys.executable, str(tree / "tools/configuration.py")]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True)
    schema = json.loads((tree / "docs/schema/study.json").read_text(encoding="utf-8"))
    assert schema["properties"]["motto"]["description"] == "What the study lives by, a toy."
    assert "| `motto` | text | `null` | What the study lives by, a toy. |" in (
        tree / "docs/keys.md"
    ).read_text(encoding="utf-8")
