"""The parameters of `flows.finetune`, typed once; see flows.parameters.features."""

from dataclasses import fields
from typing import Annotated, Any, Literal, Self

from cyclopts import Parameter
from pydantic import AfterValidator, Field, model_validator

from flows.parameters.groups import DATA, FEATURES, HEAD, MOST_USED, RUN
from flows.parameters.store import ReaderParameters
from flows.parameters.values import Cost, MovedWeights, Seed, Side
from tasks.features.request import EngineChoice
from tasks.finetune.specification import MOST_VIEWS, FineTuning, Request, Strategy
from tasks.heads.setting_types import Count, Optimizer, Rate
from tasks.images.augmentation_names import augmentation_text

_BATCH_NORM = Parameter(negative="--no-train-batch-norm")


def _known(augmentations: list[str]) -> list[str]:
    augmentation_text(augmentations)
    return augmentations


@Parameter(name="*")
class FinetuneParameters(ReaderParameters):
    """The parameters of `flows.finetune`."""

    strategy: Annotated[Strategy, MOST_USED] = Field(
        "top-layers",
        description="What is trained. partial: only the head, on augmented images. top-layers: "
        "the head, and the backbone from layer --unfreeze on. full: the head and the whole "
        "backbone. scratch: the same, from untrained weights. features: nothing; the run itself is "
        "the result.",
    )
    unfreeze: Annotated[str | None, MOST_USED] = Field(
        None,
        description="top-layers: first backbone layer that is trained, by name or by number from "
        "0; all: every layer.",
    )
    epochs: Annotated[Count, MOST_USED] = Field(10, description="Number of epochs.")
    learning_rate: Annotated[Rate | None, MOST_USED] = Field(
        None,
        description="Learning rate [default: 1e-5; partial: 1e-4; scratch: 1e-3].",
    )
    optimizer: Annotated[Optimizer | None, HEAD] = Field(
        None, description="Optimizer [default: rmsprop; partial and scratch: adam]."
    )
    patience: Annotated[Count | None, HEAD] = Field(
        None,
        description="Stop after this number of epochs without a lower loss, and restore the best "
        "epoch. The loss is computed on a fifth of the train split, which is held out for this "
        "[default: no early stopping].",
    )
    batch_size: Annotated[Count, HEAD] = Field(32, description="Batch size.")
    augment: Annotated[list[str], DATA, AfterValidator(_known)] = Field(
        [],
        description="Random augmentation of the train images, NAME or NAME=VALUE: flip, rotation, "
        "zoom, translation, contrast, brightness or saturation. May be repeated.",
    )
    views: Annotated[int, DATA] = Field(
        0,
        ge=0,
        le=MOST_VIEWS,
        description="Number of fixed augmented views of each image; every epoch uses one of them. "
        "0: new augmentations in every epoch.",
    )
    prefix: Annotated[Literal["images", "cached"], RUN] = Field(
        "images",
        description="Input of the trained layers. images: the frozen layers run in every epoch. "
        "cached: their outputs are computed once and stored. The result is the same, up to "
        "rounding.",
    )
    train_batch_norm: Annotated[bool | None, HEAD, _BATCH_NORM] = Field(
        None,
        description="Update the statistics of batch normalization [default: only for scratch].",
    )
    untrained_head: Annotated[bool, HEAD] = Field(
        default=False, description="Start with an untrained head instead of the run's."
    )
    seed: Annotated[Seed | None, DATA] = Field(
        None,
        description="Seed of the order of images, augmentation and dropout "
        "[default: the run's seed].",
    )
    image_size: Annotated[Side | None, FEATURES] = Field(
        None,
        description="Height and width in pixels to which images are resized [default: the run's].",
    )
    cost: Cost = Field([])
    weights: MovedWeights = None
    engine: Annotated[EngineChoice, RUN] = Field(
        "auto",
        description="Engine that runs the frozen layers for --prefix cached.",
    )
    open_test: Annotated[bool, RUN] = Field(
        default=False,
        description="Evaluate the result on the test split. Each test evaluation is recorded.",
    )

    @model_validator(mode="after")
    def _nothing_trained(self) -> Self:
        if self.strategy != "features":
            return self
        allowed = {"store", "read_through", "strategy", "weights", "engine", "open_test", "cost"}
        if refused := sorted(self.explicit - allowed):
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in refused)
            raise ValueError(f"{flags}: --strategy features trains nothing; remove the flag")
        return self

    @property
    def request(self) -> Request:
        """The requested fine-tuning."""
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
            parameters=self.unusual(exclude={"store", "cost"}),
        )
