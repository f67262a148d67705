"""What an archive says of a study to those who rerun it: a part of ``config/study.yaml``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Annotated

from pydantic import Field, StringConstraints

from ccp_analysis.config.reading import Strict, Text, among

Orcid = Annotated[
    str, StringConstraints(pattern=r"^https://orcid\.org/\d{4}-\d{4}-\d{4}-\d{3}[\dX]$")
]


class Author(Strict):
    """Who made the study, for the archive."""

    name: Text
    """Name."""
    affiliation: Text | None = None
    """Where they work."""
    orcid: Orcid | None = None
    """Their ORCID, as https://orcid.org/0000-0000-0000-0000."""


class DataSource(Strict):
    """Where some of the raw files come from, and how others get them."""

    title: Text
    """What it is called."""
    files: list[str] = Field(min_length=1)
    """Ids of the raw files that are of it."""
    provenance: Text | None = None
    """How the data were collected or drawn, when and by whom."""
    access: Text | None = None
    """How others get them: from whom, under what conditions, at what cost, how long it takes."""
    rights: Text | None = None
    """Licence or terms of use."""
    citation: Text | None = None
    """How the data are cited."""


class Computer(Strict):
    """A computer on which a run was measured, and what it took there."""

    system: Text
    """Processor, cores, operating system, Python."""
    memory: Text
    """Memory of the largest process."""
    disk: Text
    """Space that environment and run took."""
    time: Text
    """How long set-up and run took."""
    source: Text
    """Where the measurement stands, or who made it and when."""


class Sharing(Strict):
    """What the archive says of a study; what is not given its README asks the authors for."""

    authors: list[Author] = []
    """Who made the study."""
    availability: Text | None = None
    """Statement on the availability of the data."""
    permission: Text | None = None
    """Statement that the authors may use the data, and may pass on what is in the archive."""
    sources: list[DataSource] = []
    """Where the raw files come from."""
    licence: Text | None = None
    """Licence of the archive: data, configuration and results. That of the code is its own."""
    computers: list[Computer] = []
    """Where a run was measured."""
    instructions: Text | None = None
    """What whoever reruns it has to know beyond the commands."""
    cited: list[Text] = []
    """Works and data that are to be cited."""
    acknowledgements: Text | None = None
    """Funding, and whom the authors thank."""

    def unnamed(self, files: Collection[str]) -> Iterator[str]:
        """Yield files that a source names and the study does not have."""
        for number, source in enumerate(self.sources):
            yield from among(f"sharing.sources.{number}.files", source.files, files, "files")
