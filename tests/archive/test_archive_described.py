"""What an archive says of itself: its README, and its metadata for programs."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from small_repository import make_study, write
from support.study import ROOT, STUDIES, copy_whole

from ccp_analysis import __version__
from ccp_analysis.archive import crate, pack, readme
from ccp_analysis.config.trial import Trial

TOP = f"small-{__version__}"
SHARING = """
sharing:
  authors: [{name: A. Author, affiliation: A University,
             orcid: "https://orcid.org/0000-0002-1825-0097"}]
  availability: From the archive of the university.
  sources:
    - {title: Interviews, files: [people], provenance: Asked in 2019., access: On request}
  licence: CC BY 4.0
  computers:
    - {system: "Linux, 2 cores", memory: 300 MB, disk: 1 GB, time: 2 minutes, source: docs/run.md}
"""


def packed(name: str = "small") -> dict[str, bytes]:
    pack.run(out=Path("dist/described.zip"))
    with zipfile.ZipFile("dist/described.zip") as archive:
        return {n.partition("/")[2]: archive.read(n) for n in archive.namelist()}


def ids(value: object) -> list[str]:
    """Every reference within a description."""
    if isinstance(value, dict):
        own = [value["@id"]] if list(value) == ["@id"] else []
        return own + [each for part in value.values() for each in ids(part)]
    return [each for part in value for each in ids(part)] if isinstance(value, list) else []


@pytest.mark.parametrize("status", ["synthetic", "real"])
@pytest.mark.parametrize("where", [".", "examples/other"])
def test_the_metadata_describe_every_file_and_every_reference_leads_somewhere(
    repository, monkeypatch, status, where
):
    make_study(repository / where, "other" if where != "." else "small", status)
    write(
        repository / where / "config/study.yaml",
        (repository / where / "config/study.yaml").read_text() + SHARING,
    )
    monkeypatch.chdir(repository / where)
    content = packed()
    document = json.loads(content[crate.NAME])
    graph = {entity["@id"]: entity for entity in document["@graph"]}
    assert len(graph) == len(document["@graph"])
    place = "" if where == "." else f"{where}/"
    listed = content[f"{place}archived/MANIFEST.sha256"].decode().splitlines()
    for line in listed:
        digest, name = line[:64], line[66:]
        if name != crate.NAME:
            [found] = [e for e in graph.values() if unquote(e["@id"]) == name]
            assert found["sha256"] == digest == hashlib.sha256(content[name]).hexdigest()
            assert found["contentSize"] == str(len(content[name]))
    parts = set(ids(graph["./"]["hasPart"]))
    files = {key for key, entity in graph.items() if "File" in entity["@type"]}
    assert files <= parts
    assert {unquote(key) for key in files} == set(content) - {crate.NAME}
    outside = {key for key in ids(document["@graph"]) if key not in graph}
    assert outside == {
        crate.CRATE,
        crate.TYPED,
        crate.PARAMETER,
        "https://snakemake.readthedocs.io",
    }
    assert not [key for key in graph if key.startswith(("/", "file:")) or ".." in key]
    assert str(repository) not in content[crate.NAME].decode()
    run = graph["#run"]
    assert (run["endTime"], graph["./"]["datePublished"]) == ("2020-01-01", "2020-01-01")
    assert (
        re.findall(r"\b20\d\d-\d\d-\d\d", content[crate.NAME].decode().replace("2020-01-01", ""))
        == []
    )
    assert {f"{place}archived/results.csv", f"{place}archived/tables/"} <= set(ids(run["result"]))
    raw = "#withheld-people" if status == "real" else f"{place}data/raw/people.csv"
    assert {raw, f"{place}config/", "requirements.lock"} <= set(ids(run["object"]))
    assert graph["https://orcid.org/0000-0002-1825-0097"]["name"] == "A. Author"
    assert graph["#licence"]["description"] == "CC BY 4.0"
    assert graph["Snakefile"]["input"] == [
        {"@id": f"#{name}"} for name in ("input-people", "input-configuration", "input-lock")
    ]


def test_the_readme_asks_for_what_only_the_authors_know(repository):
    text = packed()[readme.NAME].decode()
    asked = re.findall(r"\(key `sharing\.([a-z]+)` of `config/study\.yaml`\)", text)
    assert set(asked) == {
        "authors",
        "availability",
        "permission",
        "licence",
        "sources",
        "computers",
        "cited",
        "acknowledgements",
    }
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "Overview", "Data availability and provenance statements", "Dataset list",
        "Computational requirements", "Description of programs", "Instructions to replicators",
        "List of tables and programs", "References", "Acknowledgements",
    ]  # fmt: skip

    write(Path("config/study.yaml"), Path("config/study.yaml").read_text() + SHARING)
    text = packed()[readme.NAME].decode()
    asked = re.findall(r"\(key `sharing\.([a-z0-9.]+)`", text)
    assert asked == [
        "permission",
        "sources.0.rights",
        "sources.0.citation",
        "cited",
        "acknowledgements",
    ]
    assert "| Linux, 2 cores | 300 MB | 1 GB | 2 minutes | docs/run.md |" in text
    assert (
        "| `data/raw/people.csv` | Interviews | one row for each participant | 2, in "
        "config/dictionary.csv | yes |"
    ) in text


def test_the_readme_takes_numbers_and_titles_from_the_reports(repository):
    display = {"file": "tables/flow.csv", "label": "Table 3", "caption": "Who | was seen"}
    write(Path("reports/results.json"), json.dumps({"displays": [display]}))
    write(
        Path("reports/report.html"),
        '<figure id="fig-forest"><svg/><figcaption><strong>Figure 2.'
        "</strong> All &amp; everything. More.</figcaption></figure>",
    )
    text = packed()[readme.NAME].decode()
    sections = "src/ccp_analysis/report/sections"
    assert (
        f"| Table 3 | Who \\| was seen | `tables/flow.csv` | `{sections}/participants.py` |" in text
    )
    assert (
        f"| Figure 2 | All & everything | `figures/forest.svg` | `{sections}/summary.py` |" in text
    )


@pytest.mark.parametrize("study", STUDIES)
def test_every_table_and_figure_of_a_shipped_study_has_a_program(tmp_path, monkeypatch, study):
    copy_whole(STUDIES[study], tmp_path)
    write(tmp_path / "reports/results.json", '{"displays": []}')
    write(tmp_path / "reports/report.html", "")
    monkeypatch.chdir(tmp_path)
    found = readme.shown(Trial())
    assert len({item.file for item in found}) == len(found) > 20
    for item in found:
        stem = Path(item.file).stem
        source = (ROOT / item.program).read_text(encoding="utf-8")
        assert "Item(" in source or "Checklist(" in source, (stem, item.program)
