from __future__ import annotations

import pytest
from tiny import Tiny


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Tiny:
    monkeypatch.chdir(tmp_path)
    return Tiny(tmp_path)
