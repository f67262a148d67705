"""What an archive is, for programs: RO-Crate 1.1 with the profile of a workflow that was run.

In go the configuration and what is packed, out comes ``ro-crate-metadata.json``: every file, the
workflow with its inputs and outputs, its run, software with versions, people and licences. Dates
are those of the configuration, so that the same contents give the same bytes. What the authors have
not said is not made up: it says which key they are asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from ccp_analysis import __version__
from ccp_analysis.archive import ARCHIVED_RESULTS, CHECKSUMS, MANIFEST
from ccp_analysis.archive.inputs import CONFIG
from ccp_analysis.archive.readme import KEYS, packages, project
from ccp_analysis.archive.readme import NAME as README
from ccp_analysis.config.trial import Trial

NAME = "ro-crate-metadata.json"
SNAKEFILE = "Snakefile"
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW: ("Workflow RO-Crate", "1.0"),
}
SNAKEMAKE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
# Of Bioschemas, as the profile of workflow runs asks for them.
TYPED = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
PARAMETER = "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"
MEDIA = {
    **{".csv": "text/csv", ".html": "text/html", ".json": "application/json"},
    **{".md": "text/markdown", ".pdf": "application/pdf", ".png": "image/png"},
    **{".py": "text/x-python", ".svg": "image/svg+xml", ".yaml": "application/yaml"},
    ".dta": "application/x-stata",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
Entity = dict[str, Any]


def metadata(trial: Trial, place: PurePosixPath, content: Mapping[str, bytes]) -> bytes:
    """Return the metadata of an archive.

    Parameters
    ----------
    trial : Trial
        The configuration of the study in the current folder.
    place : PurePosixPath
        Where the study stands in the archive.
    content : dict
        Name → content of all other files, but the manifest, which lists this one.

    Returns
    -------
    bytes
        JSON-LD, in order.
    """
    listed = (place / MANIFEST.as_posix()).as_posix()
    parts = sorted({*content, listed})
    inputs, outputs = _inputs(trial, place, content), _outputs(place, content)
    graph: list[Entity] = [
        {
            "@id": NAME,
            "@type": "CreativeWork",
            "about": _to("./"),
            "conformsTo": _all([CRATE, WORKFLOW]),
        },
        _root(trial, place, parts),
        *({"@id": uri, "@type": "CreativeWork"} | _named(*of) for uri, of in PROFILES.items()),
        _file(SNAKEFILE, content[SNAKEFILE]) | _workflow(inputs, outputs),
        *_software(),
        _run(trial, inputs, outputs),
        *_people(trial),
        _licence(trial),
        *(_parameter(name, of, example) for (name, of), example in (inputs | outputs).items()),
        *_folders(place, content),
        *_withheld(place, inputs, content),
        *(_file(name, content.get(name)) for name in parts if name != SNAKEFILE),
    ]
    example_of: dict[str, list[str]] = {}
    for (name, _), example in (inputs | outputs).items():
        example_of.setdefault(example, []).append(f"#{name}")
    for entity in graph:
        if entity["@id"] in example_of:
            entity["exampleOfWork"] = _all(example_of[entity["@id"]])
    hashed = {"sha256": "https://schema.org/sha256"}
    document = {"@context": [f"{CRATE}/context", hashed], "@graph": graph}
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _to(name: str) -> Entity:
    return {"@id": name}


def _all(names: Iterable[str]) -> list[Entity]:
    return [_to(name) for name in names]


def _named(name: str, version: str) -> Entity:
    return {"name": name, "version": version}


def _root(trial: Trial, place: PurePosixPath, parts: list[str]) -> Entity:
    study = trial.study
    folders = [f"{quote(name)}/" for name in _places(place)]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{study.title}: code, configuration, data and results ({study.data_label})",
        "description": f"The analysis of {study.title} by ccp-analysis {__version__}, to be rerun "
        f"and verified; {README} says how. Kind of data: {study.data_label}.",
        "identifier": study.registration,
        "datePublished": study.data_date.isoformat(),
        "conformsTo": _all(PROFILES),
        "license": _to(_licence(trial)["@id"]),
        "author": _all(entity["@id"] for entity in _people(trial) if entity["@type"] == "Person"),
        "mainEntity": _to(SNAKEFILE),
        "mentions": _to("#run"),
        "hasPart": _all([*map(quote, parts), *folders]),
    }


def _workflow(inputs: dict[Any, str], outputs: dict[Any, str]) -> Entity:
    return {
        "@id": SNAKEFILE,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "From raw files to the report",
        "version": __version__,
        "conformsTo": _to(TYPED),
        "programmingLanguage": _to(SNAKEMAKE),
        "license": _to("LICENSE"),
        "softwareRequirements": _all(["#python", *(f"#{name}" for name in packages())]),
        "input": _all(f"#{name}" for name, _ in inputs),
        "output": _all(f"#{name}" for name, _ in outputs),
    }


def _software() -> Iterator[Entity]:
    """Yield the language of the workflow, Python and the packages of the program."""
    found = packages()
    yield {
        "@id": SNAKEMAKE,
        "@type": "ComputerLanguage",
        "url": _to("https://snakemake.readthedocs.io"),
        **_named("Snakemake", found.get("snakemake", "")),
    }
    version = project().get("requires-python", "")
    for name, number in {"python": version, **found}.items():
        yield {
            "@id": f"#{name}",
            "@type": "SoftwareApplication",
            "name": name,
            "softwareVersion": number,
        }


def _run(trial: Trial, inputs: dict[Any, str], outputs: dict[Any, str]) -> Entity:
    agents = [entity["@id"] for entity in _people(trial) if entity["@type"] == "Person"]
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run of the workflow on the data of {trial.study.data_date}",
        "instrument": _to(SNAKEFILE),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "endTime": trial.study.data_date.isoformat(),
        **({"agent": _to(agents[0])} if agents else {}),
        "object": _all(dict.fromkeys(inputs.values())),
        "result": _all(dict.fromkeys(outputs.values())),
    }


def _people(trial: Trial) -> Iterator[Entity]:
    """Yield authors and where they work."""
    authors = trial.study.sharing.authors
    works = list(dict.fromkeys(author.affiliation for author in authors if author.affiliation))
    for number, author in enumerate(authors, 1):
        entity: Entity = {"@id": author.orcid or f"#author-{number}", "@type": "Person"}
        entity["name"] = author.name
        if author.affiliation:
            entity["affiliation"] = _to(f"#affiliation-{works.index(author.affiliation) + 1}")
        yield entity
    for number, name in enumerate(works, 1):
        yield {"@id": f"#affiliation-{number}", "@type": "Organization", "name": name}


def _licence(trial: Trial) -> Entity:
    said = trial.study.sharing.licence
    words = said or f"The authors must say ({KEYS.format('licence')})"
    return {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "Licence of data, configuration and results",
        "description": words,
    }


def _inputs(
    trial: Trial, place: PurePosixPath, content: Mapping[str, bytes]
) -> dict[tuple[str, str], str]:
    """Return what the workflow reads: name and type of the parameter → what it was in the run."""
    found = {}
    for file, spec in trial.study.files.items():
        name = (place / spec.path.as_posix()).as_posix()
        example = quote(name) if name in content else f"#withheld-{file}"
        found[f"input-{file}", "File"] = example
    found["input-configuration", "Dataset"] = f"{quote((place / CONFIG.as_posix()).as_posix())}/"
    found["input-lock", "File"] = "requirements.lock"
    return found


def _outputs(place: PurePosixPath, content: Mapping[str, bytes]) -> dict[tuple[str, str], str]:
    """Return what the workflow makes, as `_inputs` does."""
    top = place / ARCHIVED_RESULTS.parent.as_posix()
    found = {
        (f"output-{name[len(top.as_posix()) + 1 :]}", "File"): quote(name)
        for name in sorted(content)
        if PurePosixPath(name).parent == top and name != (place / MANIFEST.as_posix()).as_posix()
    }
    for folder in ("tables", "figures"):
        found[f"output-{folder}", "Dataset"] = f"{quote((top / folder).as_posix())}/"
    return found


def _parameter(name: str, kind: str, example: str) -> Entity:
    return {
        "@id": f"#{name}",
        "@type": "FormalParameter",
        "conformsTo": _to(PARAMETER),
        "additionalType": kind,
        "name": name.partition("-")[2],
        "valueRequired": True,
        "workExample": _to(example),
    }


def _places(place: PurePosixPath) -> list[str]:
    archived = place / ARCHIVED_RESULTS.parent.as_posix()
    folders = [place / CONFIG.as_posix(), archived / "tables", archived / "figures"]
    return [folder.as_posix() for folder in folders]


def _folders(place: PurePosixPath, content: Mapping[str, bytes]) -> Iterator[Entity]:
    """Yield the folders that are an input or an output as a whole."""
    names = ("Configuration", "Tables of the report", "Figures of the report")
    for folder, name in zip(_places(place), names, strict=True):
        parts = [quote(each) for each in sorted(content) if each.startswith(f"{folder}/")]
        yield {
            "@id": f"{quote(folder)}/",
            "@type": "Dataset",
            "name": name,
            "hasPart": _all(parts),
        }


def _withheld(
    place: PurePosixPath, inputs: dict[tuple[str, str], str], content: Mapping[str, bytes]
) -> Iterator[Entity]:
    """Yield raw files that are not here, of which there is the checksum."""
    sums = quote((place / CHECKSUMS.as_posix()).as_posix())
    for (name, _), example in inputs.items():
        if example.startswith("#withheld-"):
            yield {
                "@id": example,
                "@type": "PropertyValue",
                "name": name.partition("-")[2],
                "value": f"not in this archive; its SHA-256 is in {sums}",
            }


def _file(name: str, content: bytes | None) -> Entity:
    """Describe a file; of the manifest, which holds the checksum of this description, less."""
    entity: Entity = {"@id": quote(name), "@type": "File", "name": name}
    entity["encodingFormat"] = MEDIA.get(PurePosixPath(name).suffix, "text/plain")
    if name == "README.md":
        entity["about"] = _to("./")
    if content is not None:
        entity |= {"contentSize": str(len(content)), "sha256": hashlib.sha256(content).hexdigest()}
    return entity
