"""Everything that explanations read, each file once: configuration, results, derived tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.archive import ARCHIVED_RESULTS
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.rules import Rule, load_rules
from ccp_analysis.config.trial import Trial
from ccp_analysis.economics.perspectives import services_of
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import names_of
from ccp_analysis.layout import DERIVED, FLOW, QUERIES, RESULTS, SHOWN
from ccp_analysis.report.source import Source, records_of
from ccp_analysis.results.table import read_results

Row = dict[str, Any]
PRICE_QUERIES = DERIVED / "price_queries.csv"
MODELS = DERIVED / "imputation_models.csv"


class Facts(Trial):
    """The study in the current folder, and what a run of it has left there.

    A derived table that is not there is None: what is said of a row then rests on configuration and
    results alone.
    """

    @cached_property
    def results_file(self) -> Path:
        """The results table: of the last run, otherwise of the archive."""
        for path in (RESULTS, ARCHIVED_RESULTS):
            if path.is_file():
                return path
        raise StudyError(
            f"{RESULTS}: the file is missing, and so is {ARCHIVED_RESULTS}; run the study first "
            "(make run), or use the folder of an unpacked archive."
        )

    @cached_property
    def rows(self) -> dict[str, Row]:
        """The rows of the results by their id, in their order; a missing number is None."""
        table = read_results(self.results_file)
        table = table.astype(object).where(table.notna(), None)
        return {row["row"]: row for row in records_of(table)}

    @cached_property
    def labels(self) -> Source:
        """What things are called, as the report calls them."""
        return Source.of(self)

    @cached_property
    def columns(self) -> dict[str, list[Column]]:
        """Variable → the rows of the dictionary that hold it, of every file."""
        found: dict[str, list[Column]] = {}
        for column in self.dictionary:
            found.setdefault(column.variable, []).append(column)
        return found

    @cached_property
    def measured(self) -> set[str]:
        """Variables that are measured at a visit: of the dictionary, and scores of its items."""
        names = set(self.columns)
        for scale, one in self.instruments.items():
            for visit in self.study.visits:
                if any(f"{item}_{visit.id}" in names for item in one.items):
                    names.add(f"{scale}_{visit.id}")
        return names

    @cached_property
    def rules(self) -> list[Rule]:
        """The study's own checks of its data."""
        return load_rules(self.study, self.dictionary)

    @cached_property
    def services(self) -> dict[str, list[str]]:
        """The services of each perspective, by the names of their variables."""
        return services_of(self.economics, self.dictionary) if self.economics else {}

    @cached_property
    def ran(self) -> bool:
        """Whether what a run derives from the raw files is there."""
        return self.participants is not None and self.imputed is not None

    @cached_property
    def participants(self) -> pd.DataFrame | None:
        """Everyone recruited."""
        return self._parquet("participants")

    @cached_property
    def practitioners(self) -> pd.DataFrame | None:
        """The practitioners, where the study has a file of them."""
        return self._parquet("practitioners") if self.study.practitioners else None

    @cached_property
    def imputed(self) -> pd.DataFrame | None:
        """Observed and completed tables."""
        return self._parquet("imputed")

    @cached_property
    def exposed(self) -> pd.DataFrame | None:
        """The same, completed once more along with exposures."""
        return self._parquet("exposed")

    @cached_property
    def prices(self) -> pd.DataFrame | None:
        """Services with their prices, one row for each visit."""
        return self._parquet("prices")

    @cached_property
    def price_rows(self) -> list[Row]:
        """Services with their prices, one line for each visit."""
        return [] if self.prices is None else records_of(self.prices)

    @cached_property
    def intervention(self) -> pd.DataFrame | None:
        """What the intervention itself costs, item by item."""
        return self._parquet("intervention")

    @cached_property
    def items(self) -> list[str]:
        """Of what the intervention's cost is made."""
        return [] if self.intervention is None else self.intervention["item"].astype(str).tolist()

    @cached_property
    def intervention_total(self) -> float | None:
        """What the intervention cost in all, within the horizon."""
        return None if self.intervention is None else float(self.intervention["cost"].sum())

    @cached_property
    def models(self) -> dict[str, list[Row]]:
        """Variable → the lines that say how it was imputed."""
        found: dict[str, list[Row]] = {}
        for line in self._csv(MODELS):
            found.setdefault(line["variable"], []).append(line)
        return found

    @cached_property
    def queries(self) -> dict[tuple[str, str], list[Row]]:
        """File name and column → the data queries on it."""
        found: dict[tuple[str, str], list[Row]] = {}
        for line in self._csv(QUERIES):
            found.setdefault((line["file"], line["column"]), []).append(line)
        return found

    @cached_property
    def price_queries(self) -> list[Row]:
        """What is strange in prices, index and caseload."""
        return self._csv(PRICE_QUERIES)

    @cached_property
    def flow(self) -> dict[str, Any]:
        """The participant flow: of real data what of it may be shown."""
        path = SHOWN if self.study.guarded else FLOW
        if not path.is_file():
            return {}
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def observed(self, variable: str) -> np.ndarray | None:
        """Return of whom a variable was observed, in the order of the participants."""
        if self.imputed is not None and variable in self.imputed:
            return self._masked(("observed", variable), lambda: self._known(variable, 0, False))
        return self.has(variable)

    def completed(self, variable: str, exposed: bool = False) -> np.ndarray | None:
        """Return who has a value in all completed tables; of what is not imputed who has one."""
        table = self.exposed if exposed else self.imputed
        if table is None or variable not in table:
            return self.observed(variable)
        return self._masked(
            ("completed", variable, exposed), lambda: self._known(variable, 1, exposed)
        )

    def has(self, variable: str, practitioners: bool = False) -> np.ndarray | None:
        """Return which participants, or practitioners, have a value as it was cleaned."""
        table = self.practitioners if practitioners else self.participants
        if table is None or variable not in table:
            return None
        return self._masked(
            ("has", variable, practitioners), lambda: table[variable].notna().to_numpy()
        )

    def group(self, variable: str, code: str, practitioners: bool = False) -> np.ndarray | None:
        """Return which of them have a code of a category, or are true or false."""
        table = self.practitioners if practitioners else self.participants
        if table is None or variable not in table:
            return None
        return self._masked(
            ("group", variable, code, practitioners),
            lambda: (names_of(table[variable]) == code).to_numpy(dtype=bool),
        )

    def dead(self, visit: str) -> np.ndarray | bool:
        """Return who had died before the period of a visit: they used nothing, it is known."""
        alive = f"alive_{visit}"
        table = self.participants
        if table is None or alive not in table:
            return False
        return self._masked(("dead", visit), lambda: (table[alive] == 0).to_numpy(dtype=bool))

    def category(self, variable: str, code: str) -> np.ndarray | None:
        """Return who has a code of a category, as observed."""
        if self.participants is None or variable not in self.participants:
            return None
        return (names_of(self.participants[variable]) == code).to_numpy()

    def _known(self, variable: str, first: int, exposed: bool) -> np.ndarray:
        """Return who has a value in every table that is theirs: the observed one, or the others."""
        table = self.exposed if exposed else self.imputed
        assert self.participants is not None and table is not None
        own = table["imputation"] == 0 if first == 0 else table["imputation"] > 0
        known = table.loc[own, variable].notna().groupby(names_of(table.loc[own, "participant"]))
        person = names_of(self.participants["participant"])
        return known.all().reindex(person).eq(True).to_numpy()

    def _masked(self, key: tuple[object, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self._masks:
            self._masks[key] = make()
        return self._masks[key]

    @cached_property
    def _masks(self) -> dict[tuple[object, ...], np.ndarray]:
        return {}

    @cached_property
    def told(self) -> dict[tuple[str, bool], Row | None]:
        """What has been said of how variables were imputed, by name and whether with exposures."""
        return {}

    @staticmethod
    def _parquet(name: str) -> pd.DataFrame | None:
        path = DERIVED / f"{name}.parquet"
        return pd.read_parquet(path) if path.is_file() else None

    @staticmethod
    def _csv(path: Path) -> list[Row]:
        if not path.is_file():
            return []
        return records_of(pd.read_csv(path, dtype=str, keep_default_na=False))
