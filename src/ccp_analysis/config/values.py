"""A study's configuration as values: what stands in its files, without comments and order."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.implementation import Implementation
from ccp_analysis.config.instruments import Instruments
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.reading import Strict
from ccp_analysis.config.rules import Rules, load_rules
from ccp_analysis.config.study import Study
from ccp_analysis.config.tables import csv_rows
from ccp_analysis.config.trial import TOLD, Trial
from ccp_analysis.layout import STUDY

FILES: dict[str, type[Strict]] = {
    "study.yaml": Study,
    "analysis.yaml": Plan,
    "instruments.yaml": Instruments,
    "economics.yaml": Economics,
    "implementation.yaml": Implementation,
    "rules.yaml": Rules,
    "dictionary.csv": Column,
}
# By what an entry of a list is known, the first that it has.
KNOWN_BY = ("id", "variable", "event", "strategy")
# Lists whose order says nothing; of any other a change of order is a change.
SETS = {
    *("add", "auxiliary", "baseline_table", "checks", "complete_case", "covariates", "drop"),
    *("harms", "items", "not_after", "ordinal_as_numbers", "outcomes", "reversed", "services"),
}
# Of these mappings the first entry plays a part of its own.
FIRST = {"files", "perspectives"}
LONG = 500  # rows of a table of which no more than a checksum is kept
# What is wording, people, or where and how files are written, and so no matter of the plan.
WORDING = {"label", "unit_label", "pair_label", "note", "source", "standing", "statements"}
WRITTEN = {"path", "format", "delimiter", "encoding", "decimal", "dates", "sheet", "header_rows"}
ADMINISTRATIVE = {
    STUDY.name: {*TOLD, "schema", "id", "data_status", "data_date"},
    "analysis.yaml": {"version", "date"},
}
Values = dict[str, Any]
Key = tuple[str, ...]


def values_of(trial: Trial, stated: bool = False) -> Values:
    """Return the configuration of a study as values.

    Parameters
    ----------
    trial : Trial
        Of the current folder.
    stated : bool, optional
        Without what is as it would be if nothing were said of it.

    Returns
    -------
    dict
        Name of a file → its keys, and theirs, down to values as JSON has them; entries of lists by
        their names, rows of tables by their first cells. What is empty is not there.
    """
    study, economics = trial.study, trial.economics
    rules = load_rules(study, trial.dictionary)
    parts: dict[str, Any] = {
        "study.yaml": study,
        "analysis.yaml": trial.plan,
        "instruments.yaml": trial.instruments,
        "economics.yaml": economics,
        "implementation.yaml": trial.implementation,
        "rules.yaml": {"rules": rules} if rules else None,
        "dictionary.csv": {f"{c.file} {c.column}": c for c in trial.dictionary},
    }
    tables = [scale.value_set for scale in trial.instruments.values()]
    if economics:
        tables += [economics.unit_costs, economics.price_index]
        tables += [economics.intervention.costs] if economics.intervention else []
    found = {name: _plain(part, stated) for name, part in parts.items() if part is not None}
    found["instruments.yaml"] = {"instruments": found["instruments.yaml"]}
    return found | {path.name: _table(path) for path in tables if path}


def _plain(part: Any, stated: bool, name: str = "") -> Any:
    """Return a part as JSON has it, entries of lists by their names."""
    if isinstance(part, BaseModel):
        part = part.model_dump(mode="json", by_alias=True, exclude_defaults=stated)
    if isinstance(part, dict):
        kept = {str(key): _plain(value, stated, str(key)) for key, value in part.items()}
        kept = {key: value for key, value in kept.items() if value not in (None, "", [], {})}
        return kept | ({"(first)": next(iter(kept))} if name in FIRST and kept else {})
    if isinstance(part, list | tuple):
        if part and all(isinstance(entry, dict | BaseModel) for entry in part):
            return _named([_plain(entry, stated) for entry in part])
        return sorted(part) if name in SETS else list(part)
    return part


def _named(entries: Sequence[Values]) -> Values:
    """Return entries of a list by what they are known by; a second of one name has a number."""
    found: Values = {}
    seen: Counter[str] = Counter()
    for place, entry in enumerate(entries, start=1):
        name = str(next((entry[key] for key in KNOWN_BY if entry.get(key)), place))
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = entry
    return found


def _table(path: Path) -> Values:
    """Return the rows of a table by as many first cells as tell them apart."""
    (_, header), *lines = csv_rows(path, "expected a CSV file there")
    rows = [row for _, row in lines]
    if len(rows) > LONG:
        digest = checksum(sorted(rows))
        return {"rows": len(rows), "checksum": digest}
    keys = [tuple(row) for row in rows]
    for cells in range(1, len(header) + 1):
        short = [key[:cells] for key in keys]
        if len(set(short)) == len(rows):
            keys = short
            break
    named = [" ".join(key) for key in keys]
    return {
        name: {head: cell for head, cell in zip(header, row, strict=True) if cell}
        for name, row in zip(named, rows, strict=True)
    }


def checksum(content: Any) -> str:
    """Return a SHA-256 of what JSON can hold, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def compare(
    before: Values, now: Values, stated: Values, at: Key = ()
) -> Iterator[tuple[Key, Any, Any]]:
    """Yield what differs: the way to it, and both values; None where there is none.

    Parameters
    ----------
    before, now : dict
        Values of two configurations, of `values_of`.
    stated : dict
        Of the second, what is not as it would be if nothing were said: a key that only a later
        program knows is no difference where nothing is said of it.
    at : tuple of str, optional
        The way to both.
    """
    for key in sorted({*before, *now}):
        old, new = before.get(key), now.get(key)
        said = stated.get(key)
        if old == new or (old is None and said is None):
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            yield from compare(old, new, said if isinstance(said, dict) else {}, (*at, key))
        else:
            yield (*at, key), old, new


def of_the_plan(key: Key) -> bool:
    """Return whether a key is a matter of the plan, rather than wording, people or files."""
    name, *way = key
    if not way:
        return True
    files = name == STUDY.name and way[0] == "files" and way[-1] in WRITTEN
    arms = name == STUDY.name and way[:2] == ["arms", "levels"]
    told = way[0] in ADMINISTRATIVE.get(name, set())
    return not (told or files or arms or WORDING & {*way})


def meaning(key: Key) -> str:
    """Return what the declaration of a key says of it; empty for a row of a table."""
    name, *way = key
    if name not in FILES:
        return ""
    schema = _schema(FILES[name])
    way = way[1:] if FILES[name] is Column else way
    said, nodes = "", [schema]
    for step in way:
        nodes = [inner for node in nodes for inner in _within(node, step, schema.get("$defs", {}))]
        said = next((node["description"] for node in nodes if node.get("description")), said)
    return " ".join(said.split())


@cache
def _schema(model: type[BaseModel]) -> Values:
    return model.model_json_schema()


def _within(node: Values, step: str, parts: Values) -> Iterator[Values]:
    """Yield what a key is declared to be: a property, or an entry of a list or mapping."""
    if "$ref" in node:
        yield from _within(parts[node["$ref"].rpartition("/")[2]], step, parts)
    for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        yield from _within(choice, step, parts)
    if step in node.get("properties", {}):
        yield node["properties"][step]
    else:
        patterns = node.get("patternProperties", {}).values()
        # The entry itself says nothing: what its list says of it stands.
        yield from (
            {key: value for key, value in inner.items() if key != "description"}
            for inner in (node.get("items"), node.get("additionalProperties"), *patterns)
            if isinstance(inner, dict)
        )
