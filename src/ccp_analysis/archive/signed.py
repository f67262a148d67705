"""What a run was made of and what it made, by checksums alone: to be signed, and to be checked.

Where data may not be seen, their holder signs the list with ``ssh-keygen``; whoever has code,
configuration and results then checks in seconds that these results come from them. No datum stands
in it: a raw file is a name and a SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

from ccp_analysis import archive as package
from ccp_analysis import files, mended, provenance
from ccp_analysis.archive import ARCHIVED_RESULTS, RESULTS
from ccp_analysis.archive.inputs import input_files, kept_files, report_files
from ccp_analysis.archive.verify import snakemake
from ccp_analysis.config.reading import first_of
from ccp_analysis.config.study import load_study
from ccp_analysis.config.trial import configuration_files
from ccp_analysis.errors import StudyError, few

FORMAT = "ccp-analysis provenance 1"
NAMESPACE = "ccp-analysis"
OWN = RESULTS.with_name("provenance.json")
ARCHIVED = ARCHIVED_RESULTS.with_name(OWN.name)
# What a run is made by; documents, tests and tools make none of its numbers.
CODE_FOLDERS = ("profiles", "src")
CODE_FILES = ("Snakefile", "environment.yml", "requirements.lock")


def run(*, out: Path = OWN) -> None:
    """Write checksums of inputs, code, environment, results and reports, to be signed.

    Parameters
    ----------
    out : Path, optional
        The JSON file.

    Raises
    ------
    StudyError
        If results or reports are missing, or are not those of this code and these inputs.
    """
    study = load_study()
    reports = report_files()
    _require_up_to_date()
    content = {
        "format": FORMAT,
        "study": study.id,
        "data_status": study.data_status,
        "inputs": {path.as_posix(): files.digest(path) for path in input_files(study)},
        "program": provenance.program(),
        "code": code(),
        "environment": environment(),
        "results": _digests(reports),
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True) + "\n"
    files.write_text(out, text)
    print(f"{out}: SHA-256 {hashlib.sha256(text.encode()).hexdigest()}. To sign it:")
    print(f"  ssh-keygen -Y sign -f KEY -n {NAMESPACE} {out}")


def carried(reports: list[Path]) -> list[Path]:
    """Return what was signed of the results and its signature, as far as they are there.

    Parameters
    ----------
    reports : list of Path
        The results and reports that are packed.

    Raises
    ------
    StudyError
        If what was signed are other results.
    """
    if OWN.is_file() and _listed(OWN.read_bytes(), OWN)["results"] != _digests(reports):
        raise StudyError(
            f"{OWN}: it lists other results than are here; run `make manifest` and sign it again, "
            "or take it away."
        )
    return [path for path in (OWN, OWN.with_name(f"{OWN.name}.sig")) if path.is_file()]


def _digests(reports: list[Path]) -> dict[str, str]:
    return {path.relative_to(RESULTS.parent).as_posix(): files.digest(path) for path in reports}


def _require_up_to_date() -> None:
    """Stop unless a run would find nothing to do."""
    command = [*snakemake(Path.cwd(), 1), "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode or "Nothing to be done" not in said or any(mended.altered()):
        raise StudyError(
            f"{RESULTS}: it is not what this code makes of these inputs; run `make run` first."
        )


def code() -> dict[str, str]:
    """Return the SHA-256 of each file of the program, by its name in the repository."""
    top = package.REPOSITORY
    found = [path for folder in CODE_FOLDERS for path in kept_files(top / folder)]
    found += [top / name for name in CODE_FILES if (top / name).is_file()]
    return {p.relative_to(top).as_posix(): files.digest(p) for p in sorted(found) if p.is_file()}


def environment() -> dict[str, Any]:
    """Return the versions of Python, system and packages."""
    packages = {each.metadata["Name"].lower(): each.version for each in metadata.distributions()}
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": dict(sorted(packages.items())),
    }


def check(*, signers: Path, manifest: Path | None = None, signature: Path | None = None) -> None:
    """Check that signed results come from the code and the inputs that are here.

    Parameters
    ----------
    signers : Path
        Whom to believe: a file of allowed signers, as ``ssh-keygen`` reads it.
    manifest : Path, optional
        The signed file; ``provenance.json`` under ``archived/`` or ``reports/`` by default. The
        results stand beside it.
    signature : Path, optional
        By default the name of the signed file and ``.sig``.

    Raises
    ------
    StudyError
        If the signature is none of these signers' of these bytes, or a result, a file of the code
        or an input is another one; all are named. Raw data that are not here are not compared.
    """
    manifest = manifest or (ARCHIVED if ARCHIVED.is_file() else OWN)
    signature = signature or manifest.with_name(f"{manifest.name}.sig")
    for path, what in (
        (manifest, "what was signed"),
        (signature, "its signature"),
        (signers, "the list of allowed signers, a line 'NAME ssh-ed25519 KEY' each"),
    ):
        if not path.is_file():
            raise StudyError(f"{path}: the file is missing; expected {what}.")
    content = manifest.read_bytes()
    signer = _signer(content, manifest, signature, signers)
    listed = _listed(content, manifest)
    here = {name: sha for name, sha in listed["inputs"].items() if Path(name).is_file()}
    config = {Path(path).as_posix() for paths in configuration_files().values() for path in paths}
    away = {name for name in listed["inputs"] if name not in here and name not in config}
    known = {name: files.digest(Path(name)) for name in {*here, *config} if Path(name).is_file()}
    results = {
        name: files.digest(path)
        for name in listed["results"]
        if (path := manifest.parent / name).is_file()
    }
    faults = [
        *_differences("result", listed["results"], results, f"{manifest.parent}/"),
        *_differences("code", listed["code"], code(), ""),
        *_differences("input", {n: s for n, s in listed["inputs"].items() if n not in away}, known),
    ]
    if faults:
        raise first_of(faults)
    print(
        f"Signed by {signer}: these {len(results)} results and reports of the study "
        f"{listed['study']} ({listed['data_status']} data) come from this code "
        f"({len(listed['code'])} files) and these inputs ({len(known)} files)."
    )
    if away:
        print(f"Not here, and by the signer's word: {few(sorted(away))}.")
    made, now = listed["environment"], environment()
    print(f"They were made with Python {made['python']} on {made['platform']}.")
    others = [n for n, v in made["packages"].items() if now["packages"].get(n) not in (v, None)]
    if others:
        print(f"Other versions are installed here: {', '.join(others)}.")


def _signer(content: bytes, manifest: Path, signature: Path, signers: Path) -> str:
    """Return who signed; StudyError where it is nobody of those that are allowed."""
    name, _ = _keygen(["find-principals", "-s", str(signature), "-f", str(signers)], content)
    signer = name.strip().partition("\n")[0]
    if not signer:
        raise StudyError(f"{signature}: the signature is of nobody whom {signers} lists.")
    given = ["-f", str(signers), "-I", signer, "-n", NAMESPACE, "-s", str(signature)]
    _, good = _keygen(["verify", *given], content)
    if not good:
        raise StudyError(
            f"{signature}: it is no signature of {manifest} as it is here; one of the two was "
            "changed, or the signature is forged."
        )
    return signer


def _keygen(arguments: list[str], content: bytes) -> tuple[str, bool]:
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *arguments], input=content, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise StudyError(
            "ssh-keygen: the program is missing; install the OpenSSH client (8.2 or newer)."
        ) from None
    return done.stdout.decode(errors="replace") if not done.returncode else "", not done.returncode


def _listed(content: bytes, manifest: Path) -> dict[str, Any]:
    try:
        listed = json.loads(content)
        known = listed.get("format") == FORMAT
    except (ValueError, AttributeError):
        known = False
    if not known:
        raise StudyError(
            f"{manifest}: expected a file of 'ccp_analysis.cli manifest', format '{FORMAT}'."
        )
    return dict(listed)


def _differences(
    what: str, signed: dict[str, str], found: dict[str, str], where: str = ""
) -> Iterable[str]:
    """Say each file that is not the signed one."""
    for name in sorted({*signed, *found}):
        if name not in found:
            fault = "it is missing here"
        elif name not in signed:
            fault = "it is not among what was signed"
        elif signed[name] != found[name]:
            fault = "it is not the one that was signed"
        else:
            continue
        yield f"{where}{name}: {fault}; the {what} was changed."
