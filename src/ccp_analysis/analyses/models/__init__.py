"""The fit of each model of the plan; what else is to be known of it stands in `config.models`."""
