"""Golden values: inputs and results that other libraries gave, kept so that tests can compare."""
