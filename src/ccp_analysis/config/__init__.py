"""The configuration of a study, ``config/``, as checked values."""
