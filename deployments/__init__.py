"""Deployments: the flows on a Prefect server, on a schedule or when they are asked for."""
