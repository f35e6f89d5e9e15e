"""Which engine a job gets where nobody says: the one that is done first."""

from dataclasses import replace
from importlib.util import find_spec

from tasks.errors import InputError
from tasks.features.engines import Job
from tasks.features.request import EngineName

# Converting a model takes as long as Keras takes for some hundred images.
WORTH_CONVERTING = 300


def choose_engine(job: Job, images: int) -> Job:
    """Return the job, to compute so many images, with an engine's name in place of `auto`.

    At float32 all engines give the same features, so that this may go by what is quicker. Imports
    TensorFlow. Raises InputError where the engine asked for cannot do it.
    """
    precision = job.recipes[0].compute_precision
    if job.engine == "keras" and precision != "float32":
        raise InputError(f"--engine keras computes in float32 only, not --precision {precision}")
    if job.engine == "openvino" and not _has_openvino():
        raise InputError("--engine openvino: it is not installed (pip install openvino)")
    if job.engine != "auto":
        return job
    return replace(job, engine=_quickest(job, images))


def _quickest(job: Job, images: int) -> EngineName:
    from tasks.execution.checked_keras import tf

    if job.recipes[0].compute_precision != "float32":
        return "openvino"
    if not _has_openvino() or tf.config.list_physical_devices("GPU"):
        return "keras"
    from tasks.features.engines.openvino_engine import is_kept

    return "openvino" if images >= WORTH_CONVERTING or is_kept(job) else "keras"


def _has_openvino() -> bool:
    return find_spec("openvino") is not None
