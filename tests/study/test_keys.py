"""Every key of the configuration is described where it is declared; documents follow."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import configuration  # noqa: E402

from ccp_analysis import before  # noqa: E402
from ccp_analysis.config.plan import Plan  # noqa: E402
from ccp_analysis.config.reading import Strict, docstrings  # noqa: E402
from ccp_analysis.config.trial import Trial  # noqa: E402


def all_of(model: type[Strict]) -> Iterator[type[Strict]]:
    for one in model.__subclasses__():
        yield one
        yield from all_of(one)


@pytest.mark.parametrize("model", dict.fromkeys(all_of(Strict)), ids=lambda m: m.__name__)
def test_every_key_is_described(model):
    assert [key for key in model.model_fields if key not in docstrings(model)] == []


def test_what_is_written_is_what_the_code_declares():
    for path, text in configuration.written().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path}: run make docs"


def test_a_key_is_declared_in_one_place(monkeypatch):
    class Longer(Plan):
        """A plan with one key more."""

        colour: str = "blue"
        """Colour of the figures."""

    monkeypatch.setitem(configuration.FILES, "analysis.yaml", Longer)
    files = configuration.written()
    assert '| `colour` | text | `"blue"` | Colour of the figures. |' in files[Path("docs/keys.md")]
    schema = json.loads(files[configuration.SCHEMAS / "analysis.json"])
    assert schema["properties"]["colour"]["description"] == "Colour of the figures."


def plain(value: object) -> object:
    """Return YAML as JSON has it: names of keys and dates are text."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, dt.date) else value


SHIPPED = [
    path
    for folder in (ROOT, ROOT / "examples/beat_the_blues")
    for path in sorted((folder / "config").glob("*.yaml"))
]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: f"{p.parents[1].name}-{p.stem}")
def test_editors_find_the_schema_and_a_shipped_file_fits_it(path):
    text = path.read_text(encoding="utf-8")
    [line] = [ln for ln in text.splitlines() if ln.startswith("# yaml-language-server: $schema=")]
    schema = json.loads((path.parent / line.partition("=")[2]).read_text(encoding="utf-8"))
    jsonschema.validate(plain(yaml.safe_load(text)), schema)


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("", "the key schema is missing, so that this folder is of an older form; add"),
        ("7", "schema: 7 found"),
    ],
)
def test_a_folder_of_another_form_says_what_it_needs(ccp_study, form, sentence):
    ccp_study.change("config/study.yaml", "schema: 1 ", f"schema: {form} " if form else "# ")
    found = before.faults(Trial())
    assert len(found) == 1
    assert sentence in found[0]
