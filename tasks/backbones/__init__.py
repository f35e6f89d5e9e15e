"""Pretrained networks, their layers and their weights."""
