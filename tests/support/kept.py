"""Cases in YAML: what is edited in a folder, and what is kept of how it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

Case = dict[str, Any]
# What tells the entries of a list apart, whatever their order.
NAMES = ("cluster", "set", "stage", "file", "reason", "name", "visit")


# What could identify a person: files of data name it, as archives are made of them too.
PERSONAL = {
    "<<mail>>": "a@b.org",
    "<<telephone>>": "020 7946 0123",
    "<<born>>": "14/02/1961",
    "<<nhs>>": "943 476 5919",
    "<<postcode>>": "<b>SW1A</b> 2AA",
}


class _Plain(yaml.SafeDumper):
    """Write texts of several lines as they stand, and words of a list in one line."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def represent_items(self, items: list[Any]) -> yaml.SequenceNode:
        plain = all(isinstance(item, str) and len(item) < 40 for item in items)
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=plain)


_Plain.add_representer(str, _Plain.represent_str)
_Plain.add_representer(list, _Plain.represent_items)


def edit(path: Path, change: object) -> None:
    """Write a file anew or line by line at its end, replace text in it, or remove it."""
    if isinstance(change, str):
        for name, said in PERSONAL.items():
            change = change.replace(name, said)
    if change is None:
        path.unlink()
    elif isinstance(change, bytes):
        path.write_bytes(change)
    elif isinstance(change, str):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(change.encode())
    elif isinstance(change, list):
        edit(path, path.read_text(encoding="utf-8") + "".join(f"{line}\n" for line in change))
    else:
        assert isinstance(change, dict)
        text = path.read_bytes().decode()
        for old, new in change.items():
            assert old in text, f"{path} has no {old!r}"
            text = text.replace(old, new)
        edit(path, text)


def edit_all(folder: Path, changes: dict[str, object]) -> None:
    for name, change in changes.items():
        edit(folder / name, change)


def leaves(part: Any, at: str = "") -> dict[str, str]:
    """Return the numbers and words of something nested by their places, entries by their names."""
    pairs = part.items() if isinstance(part, dict) else enumerate(part)
    found: dict[str, str] = {}
    for key, inner in pairs:
        if isinstance(part, list) and isinstance(inner, dict):
            named = next(name for name in NAMES if name in inner)
            key, inner = inner[named], {k: v for k, v in inner.items() if k != named}
        place = f"{at} {key}".strip()
        deep = isinstance(inner, dict | list) and inner
        found |= leaves(inner, place) if deep else {place: json.dumps(inner, ensure_ascii=False)}
    return found


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Return what is new, another than before, or gone, by its place."""
    new = {place: said for place, said in after.items() if place not in before}
    gone = {place: f"{said} → gone" for place, said in before.items() if place not in after}
    both = {place: (said, after[place]) for place, said in before.items() if place in after}
    return {p: f"{a} → {b}" for p, (a, b) in both.items() if a != b} | new | gone


def grouped(places: dict[str, str]) -> list[str]:
    """Return places whose names begin alike on one line."""
    found: dict[str, list[str]] = {}
    for place, said in places.items():
        begins, _, ends = place.rpartition(" ")
        found.setdefault(begins, []).append(f"{ends} {said}")
    return [f"{begins}: {', '.join(said)}" for begins, said in found.items()]


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def write(path: Path, content: dict[str, Any]) -> None:
    form = {"sort_keys": False, "allow_unicode": True, "width": 98}
    path.write_text(yaml.dump(content, Dumper=_Plain, **form), encoding="utf-8")


def without_secrets(text: str) -> str:
    """Return a text in which nothing stands that could identify a person."""
    assert not [said for said in PERSONAL.values() if said in text]
    return text
