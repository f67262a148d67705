"""Random streams: one seed for the study, one independent stream for every consumer."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random generator that belongs to a named consumer.

    Streams of different names are independent, so that one more analysis changes no other number.

    Parameters
    ----------
    seed : int
        The study's seed, from ``analysis.yaml``.
    *names : str
        Name of the consumer, from general to particular, such as ``"imputation", "chained"``.

    Returns
    -------
    numpy.random.Generator
        PCG64 generator seeded by `numpy.random.SeedSequence` from the seed and the SHA-256 of the
        names.
    """
    digest = hashlib.sha256("\x1f".join(names).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words.tolist()])))
