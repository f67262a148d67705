"""A study folder in which teams, pairs, arms, people and visits have other names and types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ccp_analysis.config.dictionary import key_of

Names = dict[str, str]
RAW, DICTIONARY = Path("data/raw"), Path("config/dictionary.csv")


@dataclass(frozen=True)
class Renaming:
    """New names of what has one, and the types of the dictionary that are then declared.

    Attributes
    ----------
    columns : dict
        Name in the dictionary → old code → new one; that of the arm is `arm`.
    types : dict
        Name in the dictionary → the type that it is declared to have; as before where absent.
    visits : dict
        Old id → new id.
    """

    columns: dict[str, Names] = field(default_factory=dict)
    types: Names = field(default_factory=dict)
    visits: Names = field(default_factory=dict)

    def apply(self, folder: Path) -> None:
        """Rewrite configuration and raw files."""
        study = _read(folder, "study")
        dictionary = _table(folder / DICTIONARY)
        for file, spec in study["files"].items():
            own = dictionary[dictionary["file"] == file]
            self._raw(folder / spec["path"], own[own["name"].isin(self.columns)])
        for at, row in dictionary.iterrows():
            name = row["name"]
            if name in self.columns:
                dictionary.at[at, "type"] = self.types.get(name, row["type"])
                dictionary.at[at, "codes"] = self._codes(name, row)
            dictionary.at[at, "visit"] = self.visits.get(row["visit"], row["visit"])
        dictionary.to_csv(folder / DICTIONARY, index=False)
        arms = self.columns.get("arm", {})
        study["arms"] = _renamed(study["arms"], arms)
        study["visits"] = [_renamed(visit, self.visits, "id") for visit in study["visits"]]
        study["expected"] = _renamed(study["expected"], self.visits)
        plan = _renamed(_read(folder, "analysis"), self.visits, "visit")
        plan["sensitivity"] = _renamed(plan["sensitivity"], arms)
        if "confounding" in plan:
            plan["confounding"] = _each_text(plan["confounding"], self._variable)
        _write(folder, "study", study)
        _write(folder, "analysis", plan)
        if (folder / "config/rules.yaml").is_file():
            _write(folder, "rules", _each_text(_read(folder, "rules"), self._variable))
        if (folder / "config/economics.yaml").is_file():
            economics = _read(folder, "economics")
            for entry in economics["sensitivity"]:
                if "delta" in entry:
                    entry["delta"] = _renamed(entry["delta"], arms)
            if "arms" in economics.get("departures", {}):
                named = economics["departures"]["arms"]
                economics["departures"]["arms"] = [arms.get(arm, arm) for arm in named]
            _write(folder, "economics", economics)
        if (folder / "config/implementation.yaml").is_file():
            asked = _each_text(_read(folder, "implementation"), self._variable)
            _write(folder, "implementation", _renamed(asked, self.visits, "visit"))

    def _raw(self, path: Path, columns: pd.DataFrame) -> None:
        table = _table(path)
        for _, row in columns.iterrows():
            spelt = _spellings(row)
            names = self.columns[row["name"]]
            found = table[row["column"]].map(lambda cell, s=spelt: s.get(key_of(cell), cell))
            table[row["column"]] = found.map(lambda code, n=names: n.get(code, code))
        table.to_csv(path, index=False)

    def _codes(self, name: str, row: pd.Series) -> str:
        if not row["codes"] or self.types.get(name, "category") != "category":
            return ""
        parts = [part.strip().partition("=") for part in row["codes"].split(";")]
        return "; ".join(f"{self.columns[name][code]}={label}" for code, _, label in parts)

    def _variable(self, text: str) -> str:
        for old, new in self.visits.items():
            if text.endswith(f"_{old}"):
                return text.removesuffix(old) + new
        return text

    def results(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a results table with the new names in it."""
        columns = {name: self._shown(name) for name in self.columns}
        arms = columns.get("arm", {})
        levels = {old: new for names in columns.values() for old, new in names.items()}
        for sign in "-/":
            levels |= {f"{a} {sign} {b}": f"{arms[a]} {sign} {arms[b]}" for a in arms for b in arms}
        renamed = {"level": levels, "subgroup": levels, "visit": self.visits, "perspective": arms}
        found = table.copy()
        for column, names in renamed.items():
            found[column] = found[column].map(lambda cell, n=names: n.get(cell, cell))
        return found

    def _shown(self, name: str) -> Names:
        """Return the names as tables show them: numbers without zeros that say nothing."""
        if self.types.get(name) not in ("integer", "number"):
            return self.columns[name]
        return {old: f"{float(new):g}" for old, new in self.columns[name].items()}


def _spellings(row: pd.Series) -> Names:
    """Return every spelling of the codes of a column, in one case, with the code."""
    found = {}
    for part in filter(None, row["codes"].split(";")):
        code, _, names = part.strip().partition("=")
        found |= {key_of(spelt): code for spelt in (code, *names.split("|"))}
    return found


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _read(folder: Path, name: str) -> dict[str, Any]:
    return yaml.safe_load((folder / f"config/{name}.yaml").read_text(encoding="utf-8"))


def _write(folder: Path, name: str, content: dict[str, Any]) -> None:
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    (folder / f"config/{name}.yaml").write_text(text, encoding="utf-8")


def _each_text(content: Any, change: Callable[[str], str]) -> Any:
    if isinstance(content, dict):
        return {key: _each_text(value, change) for key, value in content.items()}
    if isinstance(content, list):
        return [_each_text(value, change) for value in content]
    return change(content) if isinstance(content, str) else content


def _renamed(content: Any, names: Names, only: str = "") -> Any:
    """Rename keys, and values: all of them, or those of one key."""
    if isinstance(content, dict):
        return {
            key if only else names.get(key, key): names.get(value, value)
            if isinstance(value, str) and only in ("", key)
            else _renamed(value, names, only)
            for key, value in content.items()
        }
    return [_renamed(v, names, only) for v in content] if isinstance(content, list) else content
