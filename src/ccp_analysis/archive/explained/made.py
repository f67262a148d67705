"""By what a row was made: the rules in order, the files that they read, versions and hashes."""

from __future__ import annotations

import hashlib
import sys
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ccp_analysis import __version__, layout
from ccp_analysis.archive.explained.facts import MODELS, PRICE_QUERIES, Facts, Row
from ccp_analysis.config.trial import configuration_files
from ccp_analysis.provenance import program

LIBRARIES = ("numpy", "scipy", "pandas", "pyarrow", "statsmodels", "linearmodels")
DERIVED = layout.DERIVED
DOES = {
    "clean": "reads the raw files, checks and scores them",
    "cost": "costs service use and the intervention",
    "impute": "imputes what is missing",
    "expose": "imputes once more, along with exposures",
    "analyse": "fits the analysis to each of its outcomes",
    "check": "checks what the analysis assumes",
    "sensitivity": "asks what values not missing at random would change",
    "describe": "describes who came and what happened",
    "balance": "asks how alike the arms were",
    "evaluate": "compares costs and quality-adjusted life years",
    "implement": "asks how the intervention was put into practice",
    "results": "puts the results table together",
}


class Made:
    """The rules of a study, and the hashes of its files; each file is read once."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._hashes: dict[str, str | None] = {}
        self._files_of: dict[tuple[str, ...], dict[str, dict[str, str | None]]] = {}
        self._chains: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def chain(self, row: Row) -> list[dict[str, Any]]:
        """Return the rules that make a row, in order, with what each reads and writes."""
        names = self._rules(row)
        key = (*names, self._part(row))
        if key not in self._chains:
            self._chains[key] = [self._step(name, row) for name in names]
        return self._chains[key]

    def _rules(self, row: Row) -> list[str]:
        analysis, facts = row["analysis"], self.facts
        last = self._rule_of(analysis)
        costed = ["cost"] if facts.economics else []
        exposures = facts.implementation and facts.implementation.exposures
        before = ["clean", *costed, *([] if last == "implement" else ["impute"])]
        before += ["expose"] if last == "implement" and exposures else []
        before += ["analyse"] if last == "balance" else []
        return [*before, last, "results"]

    def _rule_of(self, analysis: str) -> str:
        plan, sensitivity = self.facts.plan, self.facts.plan.sensitivity
        asked = [entry.id for entry in sensitivity.delta] if sensitivity else []
        asked += [entry.id for entry in sensitivity.reference_based] if sensitivity else []
        if analysis in {entry.id for entry in plan.analyses}:
            return "analyse"
        if analysis.startswith("checks_"):
            return "check"
        if analysis in asked:
            return "sensitivity"
        if analysis in ("balance", "unmeasured"):
            return "balance"
        if analysis in ("implementation", "dose_response", "takers"):
            return "implement"
        return "evaluate" if analysis.startswith("economics") else "describe"

    def _part(self, row: Row) -> str:
        """Return the file of results that a row is read from, without its suffix."""
        parts = {
            "sensitivity": "sensitivity",
            "balance": "balance",
            "implement": "implementation",
            "evaluate": "economics",
            "describe": "descriptive",
        }
        return parts.get(self._rule_of(row["analysis"]), str(row["analysis"]))

    def _step(self, name: str, row: Row) -> dict[str, Any]:
        reads, writes = self._files(name, row)
        analysis = row["analysis"].removeprefix("checks_")
        if name == "analyse" and self._rule_of(row["analysis"]) == "balance":
            analysis = "(each of the plan)"
        option = f" --analysis {analysis}" if name in ("analyse", "check") else ""
        return {
            "rule": name,
            "does": DOES[name],
            "command": f"python -m ccp_analysis.cli {name}{option}",
            "configuration": [layout.STUDY.as_posix(), *self._configuration.get(name, [])],
            "reads": [path.as_posix() for path in reads],
            "writes": [path.as_posix() for path in writes],
        }

    @cached_property
    def _configuration(self) -> dict[str, list[str]]:
        return configuration_files()

    def _files(self, name: str, row: Row) -> tuple[list[Path], list[Path]]:
        """Return the files that a rule reads and writes of which this row is made."""

        def tables(*names: str) -> list[Path]:
            return [DERIVED / f"{name}.parquet" for name in names]

        study, money = self.facts.study, self.facts.economics is not None
        part = [DERIVED / "results" / f"{self._part(row)}.parquet"]
        costed = tables("costs", "prices") if money else []
        contacts = tables("delivery") if study.delivery else []
        delivered = [*(tables("practitioners") if study.practitioners else []), *contacts]
        events = [layout.EVENTS] if study.losses else []
        drugs = tables("medication") if study.medication else []
        raw = [file.path for file in study.files.values()]
        asked = self.facts.implementation
        exposed = tables("exposed") if asked and asked.exposures else []
        checked = [layout.QUERIES, layout.FLOW]
        analyses = [DERIVED / "results" / f"{a.id}.parquet" for a in self.facts.plan.analyses]
        both = tables("participants", "imputed")
        known: dict[str, tuple[list[Path], list[Path]]] = {
            "clean": (raw, [*tables("participants"), *delivered, *events, *drugs, *checked]),
            "cost": (
                [*tables("participants"), *drugs],
                [*costed, *tables("intervention"), PRICE_QUERIES],
            ),
            "impute": ([*tables("participants"), *costed], [*tables("imputed"), MODELS]),
            "expose": ([*tables("participants"), *contacts, *costed], exposed),
            "analyse": (tables("imputed"), part),
            "check": (tables("imputed"), part),
            "sensitivity": (both, part),
            "describe": ([*both, *events], part),
            "balance": ([*both, *analyses], part),
            "evaluate": ([*both, *costed, *tables("intervention")], part),
            "implement": ([*tables("participants"), *exposed, *delivered], part),
            "results": ([*part, layout.FLOW], [layout.RESULTS, layout.SHOWN]),
        }
        if name == "analyse" and self._rule_of(row["analysis"]) == "balance":
            return tables("imputed"), analyses
        return known[name]

    def files(self, row: Row, raw: list[str]) -> dict[str, dict[str, str | None]]:
        """Return the SHA-256 of the files behind a row; None of one that is not there."""
        key = (self._part(row), *raw)
        if key not in self._files_of:
            self._files_of[key] = self._named(row, raw)
        return self._files_of[key]

    def _named(self, row: Row, raw: list[str]) -> dict[str, dict[str, str | None]]:
        chain = self.chain(row)
        config = dict.fromkeys(path for step in chain for path in step["configuration"])
        made = [path for step in chain for path in step["writes"] if step["rule"] != "results"]
        kinds = {"raw": raw, "configuration": [*config], "derived": [*dict.fromkeys(made)]}
        results = [self.facts.results_file.as_posix()]
        return {
            kind: {path: self._hash(path) for path in paths}
            for kind, paths in (kinds | {"results": results}).items()
        }

    def _hash(self, name: str) -> str | None:
        if name not in self._hashes:
            path = Path(name)
            there = path.is_file()
            self._hashes[name] = hashlib.sha256(path.read_bytes()).hexdigest() if there else None
        return self._hashes[name]

    @cached_property
    def versions(self) -> dict[str, Any]:
        """What this program is and what it runs with, here and now."""
        return {
            "ccp_analysis": __version__,
            "code": program(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "libraries": {name: _version(name) for name in LIBRARIES},
        }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
