"""What the plan asks for: picks the data, calls the models, emits rows of results."""
