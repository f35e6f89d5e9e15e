"""The steps of the pipeline: pure functions first, each then made a Prefect task in one line."""
