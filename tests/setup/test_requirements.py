"""Every requirement has tests that exist, and the validation report says how they ended."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import validation
from validation import Proof


def test_every_requirement_has_a_test_and_every_test_is_there() -> None:
    listed = [one.number for one in validation.requirements()]
    proofs = validation.proofs()
    assert listed == [f"R-{place}" for place in range(1, len(listed) + 1)]
    assert list(dict.fromkeys(proof.requirement for proof in proofs)) == listed
    assert len({(proof.requirement, proof.test) for proof in proofs}) == len(proofs)
    missing = [p.test for p in proofs if p.function not in validation.functions_of(p.path)]
    assert missing == []


def test_a_reference_is_read_by_the_test_or_beside_it() -> None:
    for proof in validation.proofs():
        if proof.reference:
            reference = validation.ROOT / proof.reference
            assert reference.is_file(), proof
            texts = [path.read_text(encoding="utf-8") for path in _near(proof)]
            stem = reference.name.partition(".")[0]
            assert any(stem in text for text in texts), proof


def _near(proof: Proof) -> list[Path]:
    return [
        proof.path,
        *proof.path.parent.glob("conftest.py"),
        *proof.path.parent.glob("*_data.py"),
    ]


XML = """<testsuites><testsuite>
<testcase classname="tests.models.test_models_glm" name="test_coefficients_as_in_r[a]" />
<testcase classname="tests.models.test_models_glm" name="test_coefficients_as_in_r[b]">{}</testcase>
<testcase classname="tests.test_files" name="test_the_final_name_is_not_there_while_writing" />
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("child", "said", "status"),
    [
        ("", "passed (2 of 2 cases)", 0),
        ("<failure message='m'/>", "failed (1 of 2 cases)", 1),
        ("<skipped/>", "passed (1 of 2 cases)", 0),
    ],
)
def test_the_report_has_reference_tolerance_and_last_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str, said: str, status: int
) -> None:
    monkeypatch.setattr(validation, "LAST", tmp_path / "tests.xml")
    monkeypatch.setattr(validation, "OUT", tmp_path)
    (tmp_path / "tests.xml").write_text(XML.format(child), encoding="utf-8")
    found = list(validation.lines(validation.results()))
    by = {line["test"].partition("::")[2]: line for line in found}
    glm = by["test_coefficients_as_in_r"]
    assert glm["last_result"] == said
    assert glm["reference"] == "tests/models/data/glm.json, tests/models/data/glm.R"
    assert "rtol 1e-06" in glm["tolerance"]
    assert by["test_the_final_name_is_not_there_while_writing"]["last_result"] == "passed"
    assert by["test_ancova_and_cr2"]["last_result"] == "not run"
    monkeypatch.setattr(validation, "lines", lambda last: iter(found))
    assert validation.main() == status
    page = (tmp_path / "validation.html").read_text(encoding="utf-8")
    for one in validation.requirements():
        assert f"{one.number} " in page
    with (tmp_path / "validation.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(found)
