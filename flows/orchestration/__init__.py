"""Prefect's servers: settings, temporary ones, secrets."""
