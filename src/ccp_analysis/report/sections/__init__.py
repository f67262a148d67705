"""What the report says, a file for each subject; `catalogue` has their order."""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"
