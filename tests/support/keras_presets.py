"""Presets of KerasHub, made as its users make them, and their configurations by hand."""

import json

import numpy as np
import pytest

SIDE = 32
CONVERTER = {"image_size": [SIDE, SIDE], "scale": 1 / 127.5, "offset": -1.0}
VIT = {
    "image_shape": [SIDE, SIDE, 3],
    "patch_size": 8,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "mlp_dim": 32,
}
DINO = {
    "image_shape": [SIDE, SIDE, 3],
    "position_embedding_shape": [SIDE, SIDE, 3],
    "patch_size": 8,
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "intermediate_dim": 32,
    "num_register_tokens": 2,
}
CNN = {"stackwise_num_repeats": [1, 1], "stackwise_num_filters": [4, 8]}


def hub():
    """Return KerasHub, or skip the test where the extra is not installed."""
    return pytest.importorskip("keras_hub", reason="the extra keras-hub is not installed")


def converted(folder, **settings):
    """Write a preset's image converter."""
    body = {"class_name": "ImageConverter", "config": settings}
    (folder / "image_converter.json").write_text(json.dumps(body))
    return folder


def preset(folder, kind="ViTBackbone", settings=VIT, *, seed=0, converter=CONVERTER, **options):
    """Save a preset with weights of which none is 0."""
    backbone = getattr(hub().models, kind)(**settings)
    draw = np.random.default_rng(seed)
    floats = [weight for weight in backbone.weights if weight.dtype == "float32"]
    for weight in floats:
        weight.assign(draw.uniform(0.05, 0.3, weight.shape))
    backbone.save_to_preset(str(folder), **options)
    return converted(folder, **converter) if converter else folder


def written(folder, *, name="ViTBackbone", package="keras_hub", settings=VIT, **more):
    """Write a preset's configuration by hand, and a file where its weights would be."""
    folder.mkdir()
    body = {
        "module": f"{package}.src.models.vit.vit_backbone",
        "class_name": name,
        "config": settings,
        "registered_name": f"{package}>{name}",
    }
    (folder / "config.json").write_text(json.dumps(body | more))
    (folder / "model.weights.h5").write_bytes(b"weights")
    return converted(folder, **CONVERTER)
