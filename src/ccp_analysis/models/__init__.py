"""The numerical core: arrays in, arrays out.

Every function takes a leading batch axis (imputations, outcomes, bootstrap or simulation draws) of
any shape, and no function loops over it. A fault shared by the whole batch is a `ValueError` with
one plain sentence; a fault of some fits is their `status` and `note`, with NaN for numbers that do
not exist, and leaves the other fits alone.
"""
