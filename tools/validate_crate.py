"""Ask roc-validator whether an archive is the RO-Crate that it says it is, without the network.

``python tools/validate_crate.py dist/ccp-0.1.0.zip --context context.jsonld``, with a Python in
whose environment roc-validator is (no lock has it). The context is that of RO-Crate 1.1, as
published at https://w3id.org/ro/crate/1.1/context: the validator looks it up, and is given it as if
it had fetched it before. Exit status 1 if a requirement is not met.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import requests
import requests_cache
import urllib3

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
PROFILES = (
    *("ro-crate-1.1", "process-run-crate-0.5"),
    *("workflow-ro-crate-1.0", "workflow-run-crate-0.5"),
)


def seed(cache: Path, context: bytes) -> None:
    """Put the context into the cache of the validator, as an answer to its request."""
    session = requests_cache.CachedSession(str(cache), backend="sqlite", expire_after=-1)
    answer = requests.Response()
    answer.status_code, answer.url = 200, CONTEXT
    answer.request = requests.Request("GET", CONTEXT).prepare()
    answer.headers["Content-Type"] = "application/ld+json"
    body = io.BytesIO(context)
    answer.raw = urllib3.HTTPResponse(body, dict(answer.headers), 200, preload_content=False)
    session.cache.save_response(answer)


def validate(folder: Path, profile: str, severity: str, cache: Path) -> tuple[str, bool]:
    """Validate a crate against a profile; return a line of a table, and whether it is one."""
    report = cache.parent / "report.json"
    command = [Path(sys.executable).with_name("rocrate-validator"), "--no-interactive", "validate"]
    options = ["--profile-identifier", profile, "--requirement-severity", severity, "--offline"]
    options += ["--cache-path", str(cache), "--output-format", "json", "--output-file", str(report)]
    done = subprocess.run(
        [*map(str, command), *options, str(folder)], capture_output=True, text=True, check=False
    )
    if not report.is_file():
        raise SystemExit(f"roc-validator did not answer: {done.stderr or done.stdout}")
    found = json.loads(report.read_text(encoding="utf-8"))
    report.unlink()
    for issue in found["issues"]:
        print(f"- {issue['violatingEntity']}: {issue['message']}", file=sys.stderr)
    count = found["statistics"]
    checks = f"{count['total_passed_checks']} | {count['total_failed_checks']}"
    version = found["meta"]["version"]
    passed = bool(found["passed"])
    return f"| {profile} | {severity} | {checks} | {passed} | {version} |", passed


def main() -> int:
    """Unpack, validate against each profile, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--context", type=Path, required=True, help="the context of RO-Crate 1.1")
    parser.add_argument("--severity", default="required", choices=["required", "recommended"])
    asked = parser.parse_args()
    print("| profile | severity | checks passed | failed | valid | roc-validator |")
    print("|---|---|---|---|---|---|")
    valid = True
    with tempfile.TemporaryDirectory() as name:
        with zipfile.ZipFile(asked.archive) as opened:
            opened.extractall(name)
        [folder] = Path(name).iterdir()
        cache = Path(name, "cache")
        seed(cache, asked.context.read_bytes())
        for profile in PROFILES:
            line, passed = validate(folder, profile, asked.severity, cache)
            print(line, flush=True)
            valid &= passed
    return int(not valid)


if __name__ == "__main__":
    sys.exit(main())
