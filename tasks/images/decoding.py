"""Decoding of image files to pixels, with the same result as Keras's image_dataset_from_directory.

Keras 3 decodes with `tf.image.decode_image(channels=3, expand_animations=False)` and resizes with
`tf.image.resize` (no antialiasing), `smart_resize` or `tf.image.resize_with_pad`; see
keras/src/utils/image_dataset_utils.py. Here the same functions are called on bytes in memory, so
that the decoded bytes are those whose key was checked. What TensorFlow refuses or reads wrongly is
decoded by Pillow, and resized by the same functions.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.typing import NDArray

from stores.features.recipe import AspectRatio, Decode, Recipe
from tasks.errors import ExtractionError, InputError, UndecodableImage
from tasks.execution.checked_keras import keras, tf
from tasks.execution.keras_backend import check_backend
from tasks.images.bmp import bmp_of
from tasks.images.centre_crop import centres, uncropped
from tasks.images.exif import UPRIGHT, turned
from tasks.images.headers import by_pillow
from tasks.images.image_parts import JPEG
from tasks.images.pillow_images import pixels_by_pillow

_ON_ITS_SIDE = 5  # EXIF orientations from here on exchange height and width


def check_decodable(content: bytes) -> None:
    """Raise UndecodableImage with the decoder's reason if an image file is damaged.

    A JPEG is decoded at an eighth of its size: this reads all of its data, so that it fails on the
    same damage, and skips most of the arithmetic.
    """
    if content.startswith(JPEG):
        with _reasons():
            tf.io.decode_jpeg(content, channels=3, ratio=8)
    else:
        decoded(content, channels=3)


def decoded(content: bytes, *, channels: int) -> NDArray[np.uint8]:
    """Return the stored pixels, (height, width, channels); raises UndecodableImage."""
    if by_pillow(content):
        return pixels_by_pillow(content, channels=channels)
    with _reasons():
        return np.asarray(_decode(content, channels))


def for_tensorflow(content: bytes, *, turn: int = UPRIGHT) -> bytes:
    """Return a file that TensorFlow decodes to the pixels of an image, turned as for EXIF.

    It is the file itself where that holds, else a BMP. Raises UndecodableImage.
    """
    if turn == UPRIGHT and not by_pillow(content):
        return content
    return bmp_of(turned(decoded(content, channels=3), turn))


@contextmanager
def _reasons() -> Iterator[None]:
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise ExtractionError("not enough memory to decode an image") from error
    except tf.errors.OpError as error:
        raise UndecodableImage(_reason(error)) from error


def load_pixels(
    contents: Sequence[bytes], recipe: Recipe, turns: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Return the pixels of image files for a recipe: (n, height, width, 3), 0 to 255.

    `turns` are the EXIF orientations by which the stored images are turned upright; none are turned
    without it. The files are decoded in parallel. Raises UndecodableImage if one is damaged, and
    InputError if one cannot be resized as the recipe requires; another recipe may be able to use
    that image. The errors do not name the file.
    """
    check_backend()
    if (whole := uncropped(recipe)) != recipe:
        larger = load_pixels(contents, whole, turns)
        return np.ascontiguousarray(centres(larger, recipe.image_size))
    turns = turns or [UPRIGHT] * len(contents)
    plain = [
        n
        for n, (content, turn) in enumerate(zip(contents, turns, strict=True))
        if turn == UPRIGHT and not by_pillow(content)
    ]
    others = sorted(set(range(len(contents))) - set(plain))
    if not others:
        return _load_plain(contents, recipe)
    rows = np.empty((len(contents), *recipe.image_size, 3), np.float32)
    if plain:
        rows[plain] = _load_plain([contents[n] for n in plain], recipe)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # one decoded image a thread
        loaded = pool.map(lambda n: _load_other(contents[n], turns[n], recipe), others)
        for number, row in zip(others, loaded, strict=True):
            rows[number] = row
    return rows


def _load_plain(contents: Sequence[bytes], recipe: Recipe) -> NDArray[np.float32]:
    """Return the pixels of files that TensorFlow reads and that are used as stored."""
    load = _loader(recipe.image_size, recipe.interpolation, recipe.aspect_ratio, recipe.decode)
    try:
        return np.asarray(load(list(contents)), np.float32)
    except tf.errors.OpError as error:
        for content in contents:
            check_decodable(content)
        raise _unfit(recipe) from error


def _load_other(content: bytes, turn: int, recipe: Recipe) -> NDArray[np.float32]:
    """Return the pixels of a file that is turned, or decoded by Pillow."""
    height, width = recipe.image_size
    if recipe.decode == "fast" and content.startswith(JPEG):
        stored = (width, height) if turn >= _ON_ITS_SIDE else (height, width)
        with _reasons():
            image = np.asarray(_decode_reduced(tf.constant(content), stored))
    else:
        image = decoded(content, channels=3)
    resize = _resizer(recipe.image_size, recipe.interpolation, recipe.aspect_ratio)
    try:
        return np.asarray(resize(np.ascontiguousarray(turned(image, turn))), np.float32)
    except tf.errors.OpError as error:
        raise _unfit(recipe) from error


def _unfit(recipe: Recipe) -> InputError:
    height, width = recipe.image_size
    return InputError(
        f"cannot be resized to {height}×{width} ({recipe.aspect_ratio}): it is so thin that "
        "one side would have no pixels, or memory is full; use another --image-size, do not "
        "use --pad-to-aspect-ratio, or remove the file"
    )


def image_decoder(image_size: tuple[int, int], decode: Decode) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return a TensorFlow function from a file's bytes to the pixels that are to be resized."""
    if decode == "exact":
        return _decode
    return lambda content: _decode_reduced(content, image_size)


def _resized(
    image: tf.Tensor, image_size: tuple[int, int], interpolation: str, aspect_ratio: AspectRatio
) -> tf.Tensor:
    if aspect_ratio == "crop":
        resized = keras.preprocessing.image.smart_resize(
            image, image_size, interpolation=interpolation
        )
    elif aspect_ratio == "pad":
        resized = tf.image.resize_with_pad(image, *image_size, method=interpolation)
    else:
        resized = tf.image.resize(image, image_size, method=interpolation)
    # The cubic curve overshoots at edges; images of bytes, on which networks are trained, cannot.
    return tf.clip_by_value(resized, 0, 255) if interpolation == "bicubic" else resized


@cache
def _loader(
    image_size: tuple[int, int], interpolation: str, aspect_ratio: AspectRatio, decode: Decode
) -> Callable[[list[bytes]], tf.Tensor]:
    # In a dataset's map, as in Keras. Elsewhere the crop or the padding is sometimes off by a row:
    # eager smart_resize computes in Python floats instead of float32, and in a tf.function
    # TensorFlow replaces divisions by a constant with multiplications by its reciprocal.
    stored = image_decoder(image_size, decode)

    def load(content: tf.Tensor) -> tf.Tensor:
        return _resized(stored(content), image_size, interpolation, aspect_ratio)

    def load_all(contents: tf.Tensor) -> tf.Tensor:
        # One dataset per batch: one per image would double the time of decoding.
        images = tf.data.Dataset.from_tensor_slices(contents)
        images = images.map(load, num_parallel_calls=os.cpu_count() or 1)
        return images.batch(tf.size(contents, tf.int64)).get_single_element()

    signature = [tf.TensorSpec([None], tf.string)]
    return tf.function(load_all, input_signature=signature, autograph=False)  # type: ignore[no-any-return]


@cache
def _resizer(
    image_size: tuple[int, int], interpolation: str, aspect_ratio: AspectRatio
) -> Callable[[NDArray[np.uint8]], tf.Tensor]:
    """Return a function that resizes one image, in a dataset's map as in `_loader`."""

    def resize_one(image: tf.Tensor) -> tf.Tensor:
        images = tf.data.Dataset.from_tensors(image)
        resized = images.map(lambda one: _resized(one, image_size, interpolation, aspect_ratio))
        return resized.get_single_element()

    signature = [tf.TensorSpec([None, None, 3], tf.uint8)]
    return tf.function(resize_one, input_signature=signature, autograph=False)  # type: ignore[no-any-return]


def _decode(content: bytes, channels: int = 3) -> tf.Tensor:
    return tf.image.decode_image(content, channels=channels, expand_animations=False)


def _decode_reduced(content: tf.Tensor, image_size: tuple[int, int]) -> tf.Tensor:
    """Decode a JPEG at the smallest scale (1/1 to 1/8) that is at least the requested size.

    libjpeg skips the high frequencies of each block, which is faster and gives slightly different
    pixels. Other formats are decoded at full size.
    """

    def jpeg(ratio: int) -> Callable[[], tf.Tensor]:
        return lambda: tf.io.decode_jpeg(content, channels=3, ratio=ratio)

    def reduced() -> tf.Tensor:
        shape = tf.image.extract_jpeg_shape(content)[:2]
        fitting = tf.reduce_min(shape // tf.constant(image_size, tf.int32))
        halvings = tf.reduce_sum(tf.cast(fitting >= tf.constant([2, 4, 8]), tf.int32))
        return tf.switch_case(halvings, [jpeg(ratio) for ratio in (1, 2, 4, 8)])

    return tf.cond(tf.io.is_jpeg(content), reduced, lambda: _decode(content))


def _reason(error: tf.errors.OpError) -> str:
    first = str(error.message).split("\n", 1)[0]
    return f"cannot be decoded: {first.split('}} ', 1)[-1][:160]}"
