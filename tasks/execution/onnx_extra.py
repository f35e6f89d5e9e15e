"""The packages of the extra `onnx`: whether they are there, and sessions of onnxruntime."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tasks.errors import InputError

_FATAL = 4  # of onnxruntime's severities: what it prints otherwise is about speed
_FOLDER = "session.model_external_initializers_file_folder_path"


def has_onnx() -> bool:
    """Return whether onnx and onnxruntime are installed."""
    return find_spec("onnx") is not None and find_spec("onnxruntime") is not None


def check_onnx(what: str) -> None:
    """Raise InputError where a package is missing; `what` needs it."""
    if not has_onnx():
        raise InputError(
            f"{what} needs the packages onnx and onnxruntime: pip install 'gargalo[onnx]'"
        )


def onnx_session(model: bytes | Path, folder: Path) -> Any:  # noqa: ANN401  onnxruntime's
    """Return a session for a model, a file or its content, whose other files are in a folder.

    Whatever onnxruntime raises is raised.
    """
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    if isinstance(model, bytes):  # a file knows its folder
        options.add_session_config_entry(_FOLDER, str(folder))
    content = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
