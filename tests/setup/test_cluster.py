"""What the profile for a cluster asks for."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_profile_asks_for_rules_that_there_are_and_for_more_at_each_attempt():
    # Snakemake says nothing of a rule that it does not know.
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    rules = re.findall(r"(?m)^ *rule (\w+):", (ROOT / "Snakefile").read_text())
    assert profile["executor"] == "slurm" and profile["retries"] > 0
    assert set(profile["set-resources"]) <= set(rules)
    for asked in (profile["default-resources"], *profile["set-resources"].values()):
        assert asked and set(asked) <= {"mem_mb", "runtime"}
        for amount in asked.values():
            assert re.fullmatch(r"\d+ \* attempt", amount)
