"""Other ways to keep bottleneck features, as their sources show them, with the same backbone."""

import shutil
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.photos import image_paths
from stores.features.recipe import Recipe
from tasks.backbones.registry import find_backbone
from tasks.backbones.weights import Weights, build_backbone

BATCH_SIZE = 32


class Rival:
    """One way of computing all features of a folder, and of keeping them in `state`."""

    def __init__(self, recipe: Recipe, weights: Weights, state: Path) -> None:
        backbone = find_backbone(recipe.backbone)
        base = build_backbone(backbone, weights, recipe.image_size)
        inputs = keras.Input((*recipe.image_size, 3))
        features = base(backbone.preprocess(inputs), training=False)
        self.model: Any = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(features))
        self.forward = tf.function(lambda pixels: self.model(pixels, training=False))
        self.size = recipe.image_size
        self.state = state

    def forget(self) -> None:
        """Remove all that is kept, and leave an empty folder."""
        shutil.rmtree(self.state, ignore_errors=True)
        self.state.mkdir(parents=True)

    def forget_one(self, path: Path) -> None:
        """Remove what would give a wrong answer because this image is new, or another."""

    def crash(self, folder: Path, after: int) -> None:
        """Leave what is left of a run that died after so many images: for most, nothing of use.

        The first has its rows in memory; `tf.data` ends its file, and `datasets` names it, only
        when all rows are there.
        """
        del folder, after

    def run(self, folder: Path) -> object:
        """Compute or read the features of a folder; return something that is iterated over."""
        raise NotImplementedError

    def images(self, folder: Path) -> Any:  # noqa: ANN401
        """Return Keras's own data set of the folder, in order."""
        return keras.utils.image_dataset_from_directory(
            folder, image_size=self.size, batch_size=BATCH_SIZE, shuffle=False, verbose=False
        )


class Predict(Rival):
    """TensorFlow's transfer-learning tutorial, and NumPy's file."""

    def run(self, folder: Path) -> object:
        """Compute all, always."""
        features = self.model.predict(self.images(folder), verbose=0)
        np.save(self.state / "features.npy", features)
        return features


class Untuned(Predict):
    """The same without tf.data's tuner.

    At the end of the data TensorFlow often waits for the tuner's thread, which sleeps twice as long
    each time: until 5.1, 10.2 or 20.5 s are over, whatever there was to compute (TensorFlow 2.21).
    """

    def images(self, folder: Path) -> Any:  # noqa: ANN401
        """Return Keras's own data set of the folder, in order."""
        options = tf.data.Options()
        options.autotune.enabled = False
        return super().images(folder).with_options(options)


class DatasetCache(Rival):
    """`tf.data`'s cache in a file, over the mapped backbone."""

    def forget_one(self, path: Path) -> None:
        """Begin again: the cache does not notice, and would answer with the old rows."""
        del path
        self.forget()

    def run(self, folder: Path) -> object:
        """Compute all, or read all: the file is the cache's key, and nothing else is."""
        features = self.images(folder).map(lambda pixels, _: self.forward(pixels))
        return [batch.shape for batch in features.cache(str(self.state / "cache"))]


class TextFiles(Rival):
    """A text file an image, as TensorFlow's `retrain.py` of 2016 kept its bottlenecks."""

    def forget_one(self, path: Path) -> None:
        """Remove that image's file: it goes by names alone, and would answer with the old row."""
        self._place(path).unlink(missing_ok=True)

    def crash(self, folder: Path, after: int) -> None:
        """Leave the files of the first images."""
        self._rows(islice(image_paths(folder), after))

    def run(self, folder: Path) -> object:
        """Compute an image where its file is not there, one at a time, and read the others."""
        return self._rows(image_paths(folder))

    def _rows(self, paths: Iterable[Path]) -> object:
        rows = []
        for path in paths:
            place = self._place(path)
            if not place.exists():
                image = tf.image.decode_jpeg(path.read_bytes(), channels=3)
                pixels = tf.image.resize(image, self.size)[None]
                row = np.asarray(self.forward(pixels))[0]
                place.write_text(",".join(map(str, row)))
            rows.append(np.array(place.read_text().split(","), np.float32))
        return np.stack(rows)

    def _place(self, path: Path) -> Path:
        return self.state / f"{path.parent.name}-{path.stem}.txt"


class HuggingFace(Rival):
    """`datasets.map` with its own cache, by a fingerprint of the files and of the function."""

    def run(self, folder: Path) -> object:
        """Compute all where a file or the function has changed, else read Arrow files."""
        import datasets

        datasets.disable_progress_bars()
        images = datasets.load_dataset(
            "imagefolder", data_dir=str(folder), split="train", cache_dir=str(self.state)
        )

        def forward(batch: dict[str, Any]) -> dict[str, Any]:
            resized = [
                tf.image.resize(np.asarray(image.convert("RGB")), self.size)
                for image in batch["image"]
            ]
            return {"feature": np.asarray(self.forward(tf.stack(resized)))}

        mapped = images.map(
            forward,
            batched=True,
            batch_size=BATCH_SIZE,
            remove_columns=["image"],
            # By itself it would pickle the function with the model, and find it new each time.
            new_fingerprint=f"{images._fingerprint}-features",  # noqa: SLF001  it has no other name
        )
        return mapped.with_format("numpy")["feature"]


RIVALS: dict[str, type[Rival]] = {
    "a: predict and np.save": Predict,
    "a without tf.data's tuner": Untuned,
    "b: tf.data cache": DatasetCache,
    "c: a text file an image": TextFiles,
    "d: Hugging Face datasets.map": HuggingFace,
}
