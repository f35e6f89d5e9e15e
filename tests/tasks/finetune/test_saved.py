"""A fine-tuned run whose own backbone is gone or changed is told of what helps."""

from dataclasses import replace

import pytest

from stores.errors import CorruptStore
from stores.runs.store import RunStore
from tasks.backbones.files.backbone import with_layout
from tasks.backbones.files.description import Description
from tasks.features.job import make_job
from tasks.finetune.saved import fine_tuned_job
from tests.stores.runs.test_record import RUN
from tests.support.extraction import REQUEST

DIGEST = "ab" * 32


def recipe_of(name):
    asked = replace(REQUEST, backbone="lenet5", image_size=32)
    (recipe,) = make_job(asked, store="unused", engine="keras").recipes
    recipe = replace(recipe, weights=f"sha256:{DIGEST}")
    if name != "backbone.keras":
        return recipe
    own = with_layout("keras", recipe.weights, Description(), "NHWC")
    named = {"preprocessing": own.preprocessing, "backbone_arguments": own.arguments}
    return replace(recipe, backbone=own.name, **named)


@pytest.mark.parametrize("content", [None, b"other weights"])
@pytest.mark.parametrize("name", ["backbone.weights.h5", "backbone.keras"])
def test_it_is_not_told_of_weights_which_it_refuses(tmp_path, monkeypatch, name, content):
    folder = tmp_path / "run" / "model"
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(recipe_of(name).to_json())
    if content:
        (folder / name).write_bytes(content)
    monkeypatch.setattr(RunStore, "model_folder", lambda *_: folder)
    tuned = replace(RUN, model_digests={name: DIGEST})
    with pytest.raises(CorruptStore, match=r"backup, or move .* away and fine-tune") as told:
        fine_tuned_job(tuned, store=tmp_path, engine="keras")
    reason = "it has changed since the fine-tuning" if content else "not found"
    assert str(told.value).startswith(f"{folder / name}: {reason}; ")
    assert "--weights" not in str(told.value)
