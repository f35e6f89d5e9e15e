"""The choice of an engine for --engine auto: the fastest one for the number of images."""

from dataclasses import replace
from importlib.util import find_spec

from stores.features.recipe import Precision
from tasks.backbones.files.backbone import is_from_file
from tasks.errors import InputError
from tasks.features.engines import Job
from tasks.features.request import EngineChoice, EngineName

# Where converting a model costs about what it saves. 200 new files on two cores, CPU seconds by
# OpenVINO and by Keras: EfficientNet-Lite0 at 224, 5.7 and 5.5; of 12 megapixels, 12.7 and 12.8;
# MobileNetV2 at 160, 4.8 and 3.9. Each later command spares 1.7 s: it builds no Keras model.
WORTH_CONVERTING = 200


def choose_engine(job: Job, images: int) -> Job:
    """Return the job with an engine's name in place of `auto`, the fastest for `images` images.

    All engines give the same features at float32. TensorFlow is imported. Raises InputError if the
    requested engine cannot run the job.
    """
    if is_from_file(job.recipes[0]):
        return _of_a_file(job)
    check_precision(job.engine, job.recipes[0].compute_precision)
    if job.engine == "openvino" and not _has_openvino():
        raise InputError("--engine openvino: not installed; run pip install openvino")
    if job.engine != "auto":
        return job
    return replace(job, engine=_fastest(job, images))


def _of_a_file(job: Job) -> Job:
    """Return the job for OpenVINO, which reads the file; raises InputError for another engine."""
    if job.engine == "keras":
        raise InputError(
            f"--engine keras does not run {job.recipes[0].backbone}, which is no Keras model; "
            "use --engine openvino"
        )
    return replace(job, engine="openvino")


def check_precision(engine: EngineChoice, precision: Precision) -> None:
    """Raise InputError for an engine that cannot compute in a precision."""
    if engine == "keras" and precision != "float32":
        raise InputError(
            f"--engine keras does not support --precision {precision}; use --precision float32"
        )


def _fastest(job: Job, images: int) -> EngineName:
    from tasks.execution.checked_keras import tf

    if job.recipes[0].compute_precision != "float32":
        return "openvino"
    if not _has_openvino() or tf.config.list_physical_devices("GPU"):
        return "keras"
    from tasks.features.engines.openvino_engine import is_kept

    return "openvino" if images >= WORTH_CONVERTING or is_kept(job) else "keras"


def _has_openvino() -> bool:
    return find_spec("openvino") is not None
