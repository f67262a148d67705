"""What stands behind a number: who is counted, what is fitted, which raw cells it comes from."""
