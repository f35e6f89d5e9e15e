"""The parameters of `flows.finetune`, typed once; see flows.parameters.features."""

from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from cyclopts import Parameter
from pydantic import AfterValidator, Field, model_validator

from flows.parameters.store import ReaderParameters
from tasks.features.engines import EngineChoice
from tasks.finetune.plan import Request
from tasks.finetune.specification import MOST_VIEWS, FineTuning, Strategy
from tasks.heads.setting_types import Count, Optimizer, Rate
from tasks.images.augmentation import augmentation_text


def _known(asked: list[str]) -> list[str]:
    augmentation_text(asked)
    return asked


@Parameter(name="*")
class FinetuneParameters(ReaderParameters):
    """The parameters of `flows.finetune`."""

    strategy: Strategy = Field(
        "top-layers",
        description="features: the run as it is; partial: its head alone, on augmented images; "
        "top-layers: the backbone too, from --unfreeze on; full: all of it; scratch: all of it, "
        "from untrained weights.",
    )
    unfreeze: str | None = Field(
        None, description="First layer that is trained, by name or number (from 0), or all."
    )
    epochs: Count = Field(10, description="Epochs of the fine-tuning.")
    learning_rate: Rate | None = Field(
        None,
        description="Learning rate [default: 1e-5; partial: 1e-4; scratch: 1e-3].",
    )
    optimizer: Optimizer | None = Field(
        None, description="Optimizer [default: rmsprop; partial and scratch: adam]."
    )
    patience: Count | None = Field(
        None,
        description="End after N epochs without a better loss, and take the best epoch. The loss "
        "is that of a fifth of the training images, which are set aside for it: validation only "
        "measures [default: all epochs, and the last].",
    )
    batch_size: Count = Field(32, description="Images that it learns from at once.")
    augment: Annotated[list[str], AfterValidator(_known)] = Field(
        [],
        description="NAME or NAME=VALUE: flip, rotation, zoom, translation, contrast, brightness, "
        "saturation; may be repeated.",
    )
    views: int = Field(
        0,
        ge=0,
        le=MOST_VIEWS,
        description="Fixed augmented views of each image, of which an epoch draws one "
        "[default: each epoch augments anew].",
    )
    prefix: Literal["images", "cached"] = Field(
        "images",
        description="cached: what the frozen layers make of each image, or view, is computed once "
        "and kept; the outcome is the same, up to rounding.",
    )
    train_batch_norm: Annotated[bool | None, Parameter(negative="--no-train-batch-norm")] = Field(
        None, description="Batch normalisation's statistics learn too [default: for scratch]."
    )
    untrained_head: bool = Field(
        default=False, description="Begin with a head of untrained weights."
    )
    seed: int | None = Field(
        None, ge=0, lt=2**32, description="Of order, augmentation and dropout [default: the run's]."
    )
    image_size: int | None = Field(
        None, gt=0, le=4096, description="Height and width in pixels [default: the run's]."
    )
    weights: str | None = Field(
        None, description="The backbone's weights, where they lie now [default: as for the run]."
    )
    engine: EngineChoice = Field(
        "auto",
        description="What runs the frozen layers for --prefix cached: auto, keras, openvino.",
    )
    open_test: bool = Field(
        default=False, description="Evaluate the outcome on the test split; this is recorded."
    )

    @model_validator(mode="after")
    def _nothing_trained(self) -> Self:
        said = self.said - {"store", "read_through", "strategy", "weights", "engine", "open_test"}
        if self.strategy == "features" and said:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(said))
            raise ValueError(
                f"{flags}: --strategy features is the run as it is; nothing is trained"
            )
        return self

    @property
    def request(self) -> Request:
        """What is asked of a fine-tuning."""
        names = {field.name for field in fields(FineTuning)} - {"strategy", "unfreeze"}
        settings: dict[str, Any] = self.model_dump(include=names, exclude_none=True)
        settings["augmentation"] = augmentation_text(self.augment)
        return Request(
            strategy=self.strategy,
            unfreeze=self.unfreeze,
            settings=settings,
            seed=self.seed,
            image_size=self.image_size,
            weights=self.weights,
            from_cache=self.prefix == "cached",
            parameters=self.unusual(exclude={"store"}),
        )
