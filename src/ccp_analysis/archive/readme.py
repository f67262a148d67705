"""The README of an archive, in the order that data editors of the social sciences ask for.

It follows the template of their journals (Vilhuber, Connolly, Koren, Llull and Morrow 2022,
doi:10.5281/zenodo.7293838). What the configuration, the lock, the reports and the code know is
taken from there; what only the authors know, under `sharing` of ``config/study.yaml``, they are
asked for where it is not given.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from ccp_analysis import __version__, layout
from ccp_analysis import archive as package
from ccp_analysis.archive import ARCHIVED_RESULTS, CHECKSUMS, twin
from ccp_analysis.archive.inputs import CONFIG, of_people
from ccp_analysis.cli import COMMANDS
from ccp_analysis.config.trial import Trial
from ccp_analysis.report.catalogue import sections_of
from ccp_analysis.report.filled import environment
from ccp_analysis.report.section import FigureItem

NAME = "REPLICATION.md"
TEMPLATES = Path(__file__).parent / "templates"
KEYS = f"`sharing.{{}}` of `{layout.STUDY}`"

_PINNED = re.compile(r"([A-Za-z0-9._-]+)==(\S+)")
_FIGURE = re.compile(r'<figure id="fig-(\w+)">.*?<figcaption[^>]*>(.*?)</figcaption>', re.DOTALL)
_LABEL = re.compile(r"<strong>(\w+ \d+)\.</strong>(.*)", re.DOTALL)


class Shown(NamedTuple):
    """A table or figure: its number and title in the report, its file and its program."""

    label: str
    title: str
    file: str
    program: str


class Kept(NamedTuple):
    """A file of data: where it comes from, what a row of it is, whether it is here."""

    file: str
    source: str
    rows: str
    columns: str
    provided: str


def text(trial: Trial, place: PurePosixPath, content: Mapping[str, bytes], withheld: bool) -> str:
    """Return the README of an archive as Markdown.

    Parameters
    ----------
    trial : Trial
        The configuration of the study in the current folder, whose reports are there.
    place : PurePosixPath
        Where the study stands in the archive.
    content : dict
        Name → content of all that is packed besides.
    withheld : bool
        Whether participants' data are left out.
    """
    templates = environment(TEMPLATES, autoescape=False)
    templates.filters["cell"] = lambda words: " ".join(str(words).split()).replace("|", "\\|")
    study = trial.study
    return templates.get_template("replication.md.j2").render(
        study=study,
        sharing=study.sharing,
        ask=ask,
        withheld=withheld,
        folder=place,
        twin=twin.place(study),
        checksums=CHECKSUMS,
        archived=ARCHIVED_RESULTS.parent,
        seed=trial.plan.seed,
        plan=layout.PLAN,
        version=__version__,
        kept=list(_kept(trial, withheld, _tables(place, content))),
        shown=shown(trial),
        programs={name: target.partition(":")[0] for name, target in COMMANDS.items()},
        packages=packages(),
        python=project().get("requires-python", ""),
        licence=_first_line(package.REPOSITORY / "LICENSE"),
        files=len(content),
        megabytes=round(sum(map(len, content.values())) / 1e6),
    )


def ask(key: str) -> str:
    """Return the words by which the authors are asked for what only they know."""
    return f"*The authors must say* (key {KEYS.format(key)})."


def shown(trial: Trial) -> list[Shown]:
    """Return the tables and figures of a study in order, each with the program that makes it.

    Parameters
    ----------
    trial : Trial
        The configuration of the study in the current folder. Numbers and titles are those of its
        report; what the report does not print has a file and a program all the same.
    """
    labels = _labels()
    found = []
    for section in sections_of(trial):
        program = f"src/{_module(section.items).replace('.', '/')}.py"
        for item in section.items(trial):
            drawn = isinstance(item, FigureItem)
            file = f"figures/{item.name}.svg" if drawn else f"tables/{item.name}.csv"
            label, title = labels.get(file, ("", item.name.replace("_", " ")))
            found.append(Shown(label, title, file, program))
    return found


def _module(function: Any) -> str:
    """Return the module of a section's own code."""
    while isinstance(function, partial):
        function = function.func
    return str(function.__module__)


def _labels() -> dict[str, tuple[str, str]]:
    """Return number and title of each table and figure that the reports print, by its file."""
    displays = json.loads(layout.EXCHANGED.read_text(encoding="utf-8"))["displays"]
    found = {each["file"]: (each["label"], each["caption"]) for each in displays}
    page = layout.DOCUMENTS[0].read_text(encoding="utf-8")
    for name, caption in _FIGURE.findall(page):
        if label := _LABEL.search(caption):
            words = html.unescape(re.sub("<[^>]*>", "", label[2]))
            found[f"figures/{name}.svg"] = (label[1], re.split(r"(?<=\w{3})\. ", words)[0].strip())
    return found


def _tables(place: PurePosixPath, content: Mapping[str, bytes]) -> list[Path]:
    """Return the tables of the configuration that are packed."""
    folder = place / CONFIG.as_posix()
    packed = (PurePosixPath(name) for name in sorted(content))
    return [
        CONFIG / name.name for name in packed if name.parent == folder and name.suffix == ".csv"
    ]


def _kept(trial: Trial, withheld: bool, tables: list[Path]) -> Iterator[Kept]:
    """Yield the files of data and the tables of the configuration, each once."""
    study, dictionary = trial.study, trial.dictionary
    sources = {file: source.title for source in study.sharing.sources for file in source.files}
    for name, file in study.files.items():
        columns = sum(column.file == name for column in dictionary)
        yield Kept(
            file.words if file.where else file.path.as_posix(),
            sources.get(name) or ask("sources"),
            f"one row for each {file.rows}",
            f"{columns}, in {layout.DICTIONARY}",
            f"no; its checksum is in {CHECKSUMS}" if withheld else "yes",
        )
    if withheld and layout.DECISIONS in of_people(study):
        decisions = layout.DECISIONS.as_posix()
        yield Kept(decisions, "decisions on values", "", "", f"no; its checksum is in {CHECKSUMS}")
    for path in tables:
        if path not in (layout.DICTIONARY, layout.DECISIONS):
            yield Kept(path.as_posix(), "configuration", "", "", "yes")


def project() -> dict[str, Any]:
    """Return what ``pyproject.toml`` says of the program."""
    content = (package.REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(content).get("project", {}))


def packages() -> dict[str, str]:
    """Return the packages that the program itself uses, with the versions of the lock."""
    lock = (package.REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    pinned = {_plain(name): version for name, version in _PINNED.findall(lock)}
    wanted = (re.split("[^A-Za-z0-9._-]", each)[0] for each in project().get("dependencies", []))
    return {name: pinned[_plain(name)] for name in wanted if _plain(name) in pinned}


def _plain(name: str) -> str:
    """Return the name of a package as all its spellings have it."""
    return re.sub("[-_.]+", "-", name).lower()


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip().splitlines()[0] if path.is_file() else ""
