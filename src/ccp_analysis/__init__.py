"""Reproducible statistical analysis of two-arm pre-post studies with few clusters."""

import os

# Large solves differ in the last bits between one and several threads; parallelism is over jobs.
# Set before NumPy loads its BLAS.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

__version__ = "0.1.0"
