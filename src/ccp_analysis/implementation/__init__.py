"""Was it done, by whom, how was it received, and what goes with more of it."""
