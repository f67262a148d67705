"""Results signed where the data are, checked where they are not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from small_repository import write

from ccp_analysis import cli
from ccp_analysis.archive import pack, signed
from ccp_analysis.errors import StudyError

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="there is no ssh-keygen")

SIGNED = Path("reports/provenance.json")
SIGNATURE = Path("reports/provenance.json.sig")
SIGNERS = Path("allowed_signers")


def key(path: Path, name: str) -> str:
    """Make a throwaway key; return its line of allowed signers."""
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(make, check=True)
    return f"{name} {path.with_suffix('.pub').read_text()}"


def sign(path: Path, namespace: str = "ccp-analysis") -> None:
    """The line that the data holder types."""
    SIGNATURE.unlink(missing_ok=True)
    command = ["ssh-keygen", "-Y", "sign", "-f", str(path), "-n", namespace, str(SIGNED)]
    subprocess.run(command, check=True, capture_output=True)


def up_to_date(folder: Path, cores: int) -> list[str]:
    return [sys.executable, "-c", "print('Nothing to be done')"]


@pytest.fixture
def holder(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The private key of the data holder, who has signed; the raw data are gone then."""
    monkeypatch.setattr(signed, "snakemake", up_to_date)
    assert cli.main(["manifest"]) == 0
    path = tmp_path / "key"
    write(SIGNERS, key(path, "holder"))
    sign(path)
    Path("data/raw/people.csv").rename(tmp_path / "people.csv")
    return path


def check() -> int:
    """The line that the reviewer types."""
    return cli.main(["check-signature", "--signers", str(SIGNERS)])


def test_what_was_signed_is_checked_without_the_data(holder, capsys):
    assert check() == 0
    said = capsys.readouterr().out
    assert "Signed by holder: these " in said
    assert "results and reports of the study small (synthetic data) come from this code" in said
    assert "Not here, and by the signer's word: data/raw/people.csv." in said
    text = SIGNED.read_text()
    assert not any(datum in text for datum in ("small1", "small2", "participant,arm"))
    content = json.loads(text)
    assert text == json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"
    assert set(content["inputs"]) >= {"config/analysis.yaml", "data/raw/people.csv"}
    assert {"Snakefile", "requirements.lock", "src/small/__init__.py"} <= set(content["code"])
    assert content["environment"]["packages"]["numpy"]


def test_the_data_are_compared_where_they_are(holder, tmp_path, capsys):
    shutil.copy(tmp_path / "people.csv", "data/raw/people.csv")
    assert check() == 0
    assert "Not here" not in capsys.readouterr().out


def test_what_was_signed_goes_along_with_the_results_and_with_no_others(holder, tmp_path):
    shutil.copy(tmp_path / "people.csv", "data/raw/people.csv")
    pack.run(out=tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        top = packed.namelist()[0].partition("/")[0]
        for path in (SIGNED, SIGNATURE):
            assert packed.read(f"{top}/archived/{path.name}") == path.read_bytes()
    write(Path("reports/report.html"), "another")
    with pytest.raises(StudyError, match=r"^reports/provenance.json: it lists other results"):
        pack.run(out=tmp_path / "b.zip")


def changed(name: str) -> Callable[[Path], object]:
    return lambda _: Path(name).write_bytes(Path(name).read_bytes() + b" ")


def by_somebody_else(path: Path) -> None:
    key(path.with_name("other"), "other")
    sign(path.with_name("other"))


def for_something_else(path: Path) -> None:
    sign(path, "file")


def forged(_: Path) -> None:
    lines = SIGNATURE.read_text().splitlines()
    lines[4] = lines[4][::-1]
    SIGNATURE.write_text("\n".join(lines) + "\n")


FAULTS: list[tuple[Callable[[Path], object], str]] = [
    (by_somebody_else, "the signature is of nobody whom allowed_signers lists"),
    (for_something_else, "it is no signature of reports/provenance.json as it is here"),
    (forged, "reports/provenance.json.sig: "),
    (changed("reports/provenance.json"), "it is no signature of reports/provenance.json as it"),
    (changed("reports/results.csv"), "reports/results.csv: it is not the one that was signed"),
    (changed("reports/report.pdf"), "reports/report.pdf: it is not the one that was signed"),
    (changed("src/small/__init__.py"), "src/small/__init__.py: it is not the one that was signed"),
    (changed("requirements.lock"), "requirements.lock: it is not the one that was signed"),
    (changed("config/analysis.yaml"), "config/analysis.yaml: it is not the one that was signed"),
    (lambda _: write(Path("src/small/more.py"), ""), "more.py: it is not among what was signed"),
    (lambda _: write(Path("data/raw/people.csv"), "x"), "people.csv: it is not the one that was"),
    (lambda _: Path("reports/tables/flow.csv").unlink(), "flow.csv: it is missing here; the res"),
    (lambda _: Path("src/small/__init__.py").unlink(), "it is missing here; the code was changed"),
    (lambda _: SIGNATURE.unlink(), "provenance.json.sig: the file is missing; expected its sig"),
    (lambda _: SIGNERS.unlink(), "allowed_signers: the file is missing; expected the list"),
]


@pytest.mark.parametrize(("change", "sentence"), FAULTS)
def test_what_is_forged_or_changed_is_refused_with_a_sentence(holder, capsys, change, sentence):
    change(holder)
    assert check() == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_nothing_is_written_to_be_signed_that_another_code_made(repository, monkeypatch):
    monkeypatch.setattr(signed, "snakemake", lambda *_: [sys.executable, "-c", "print('1 job')"])
    with pytest.raises(StudyError, match=r"not what this code makes of these inputs; run `make"):
        signed.run()
    Path("reports/tables/flow.csv").unlink()
    with pytest.raises(StudyError, match=r"^reports/tables/flow.csv: the file is missing; run `m"):
        signed.run()
    assert not SIGNED.exists()


def test_without_the_program_it_says_so(holder, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StudyError, match="ssh-keygen: the program is missing; install"):
        signed.check(signers=SIGNERS)


def test_other_files_are_no_manifest(holder):
    SIGNED.write_text("[]")
    sign(holder)
    with pytest.raises(StudyError, match="expected a file of 'ccp_analysis.cli manifest'"):
        signed.check(signers=SIGNERS)
