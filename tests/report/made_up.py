"""Make the made-up studies of this folder, whose results were written down by hand."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from ccp_analysis import files
from ccp_analysis.report import documents, stage
from ccp_analysis.report.marks import plain
from ccp_analysis.report.source import Source, load
from ccp_analysis.results.table import results_table

DATA = Path(__file__).parent / "data"
VILE = '<script>alert("x")</script> **bold** [link](http://evil.example) | $x$ `code` {.c} \\'


@dataclass(frozen=True)
class Folder:
    """A study folder with everything that the report is made of."""

    path: Path

    @property
    def results(self) -> dict[str, Path]:
        return {"results": Path("results.csv"), "flow": Path("flow.json")}

    @property
    def everything(self) -> dict[str, Path]:
        listed = {name: Path(f"{name}.csv") for name in ("queries", "models", "scales")}
        priced = {name: Path(f"{name}.parquet") for name in ("prices", "intervention")}
        there = {name: path for name, path in priced.items() if (self.path / path).is_file()}
        return {**self.results, **listed, **there}

    def inside(self) -> contextlib.chdir[Path]:
        return contextlib.chdir(self.path)

    def source(self) -> Source:
        with self.inside():
            return load(**self.everything, points=Path("points"))

    def items(self, out: Path = Path(), **other: Any) -> None:
        """Write tables, figures and text of the report into a folder."""
        with self.inside():
            made = {"tables": out / "tables", "figures": out / "figures", "text": out / "report.md"}
            made |= {"origins": out / "origins.json", "book": out / "tables.xlsx"}
            made["exchanged"] = out / "results.json"
            stage.run(**{**self.everything, "points": Path("points"), **made, **other})

    def report(self) -> None:
        """Make tables, figures and documents, each under its own name in the folder."""
        self.items()
        self.documents()

    def documents(self) -> None:
        with self.inside():
            kinds = {kind: Path(f"report.{kind}") for kind in ("html", "docx", "pdf")}
            read = {"text": Path("report.md"), "origins": Path("origins.json")}
            read["results"] = Path("results.html")
            documents.run(**read, figures=Path("figures"), **kinds)

    def text(self, name: str) -> str:
        return plain((self.path / name).read_text(encoding="utf-8"))

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.path / name).open(encoding="utf-8-sig", newline="") as handle:
            return list(csv.DictReader(handle))


def make(name: str, folder: Path, label: str | None = None, status: str | None = None) -> Folder:
    """Copy a made-up study, with another label of its primary outcome or another data status."""
    given = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    (folder / "config").mkdir(parents=True)
    status = status or given["config"]["study"]["data_status"]
    given["config"]["study"]["data_status"] = status
    for part, content in given["config"].items():
        if label and part == "analysis":
            content["outcomes"][0]["label"] = label
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        (folder / "config" / f"{part}.yaml").write_text(text, encoding="utf-8")
    _economics(name, folder, given)
    shutil.copyfile(DATA / f"{name}_dictionary.csv", folder / "config" / "dictionary.csv")
    files.write_csv(folder / "results.csv", results_table(_rows(given["results"]), status))
    files.write_json(folder / "flow.json", given["flow"])
    points = pd.DataFrame(given.get("points", []), columns=["outcome", "check", "x", "y", "label"])
    for analysis in given["config"]["analysis"].get("checks", []):
        files.write_parquet(
            folder / "points" / f"checks_{analysis}.parquet", points.assign(analysis=analysis)
        )
    for part in ("queries", "models", "scales"):
        header, *rows = given.get(part, [["label"]])
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as handle:
            csv.writer(handle).writerows([header, *rows])
    return Folder(folder)


def _economics(name: str, folder: Path, given: dict[str, Any]) -> None:
    """Add the economic evaluation of a study, where it has one: prices, draws, results."""
    file = DATA / f"{name}_economics.yaml"
    if not file.is_file():
        return
    money = yaml.safe_load(file.read_text(encoding="utf-8"))
    text = yaml.safe_dump(money["config"], sort_keys=False, allow_unicode=True)
    (folder / "config" / "economics.yaml").write_text(text, encoding="utf-8")
    for part in ("prices", "intervention"):
        header, *rows = money[part]
        files.write_parquet(folder / f"{part}.parquet", pd.DataFrame(rows, columns=header))
    # Draws on a spiral: spread out, and the same at every run.
    n = money["draws"]
    turn = np.arange(n) * 2.4
    draws = {
        "draw": np.arange(1, n + 1),
        "cost_new_minus_usual": -1234.5 + 1500 * np.sqrt(np.arange(n) / n) * np.sin(turn),
        "qaly_new_minus_usual": 0.0123 + 0.016 * np.sqrt(np.arange(n) / n) * np.cos(turn),
    }
    files.write_parquet(folder / "points" / "economics.parquet", pd.DataFrame(draws))
    given["results"] += money["results"]


def _rows(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Spread groups of rows that share columns."""
    rows = []
    for group in groups:
        shared = {key: value for key, value in group.items() if key != "rows"}
        rows += [{**shared, **row} for row in group["rows"]]
    return rows


def flow_of(folder: Folder) -> dict[str, Any]:
    return json.loads(folder.text("flow.json"))
