"""Deployments: the flows on a Prefect server, on a schedule or on demand."""

import flows  # noqa: F401  which imports Prefect, before anything here does
