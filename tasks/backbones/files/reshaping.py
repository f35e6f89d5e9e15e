"""What it takes that a network computes batches of another size, or images of another.

Exporters write the batch as a number into shapes, as torch.onnx.export does without dynamic axes.
Where such a shape stands for a tensor's own first dimension, it is written as just that: at the
file's batch the network is the same. Whether it is for others is tried before features are kept.
"""

import math
from typing import Any

import numpy as np

from tasks.execution.quiet_openvino import ov

ops = ov.opset13
_SHAPE = 1  # a Reshape's second input


def free_batch(model: Any, batch: int) -> None:  # noqa: ANN401  an ov.Model
    """Change the operations of a model that was exported for `batch` images, in place."""
    fed = {parameter.get_name() for parameter in model.get_parameters()}
    for operation in model.get_ordered_ops():
        name, kind = operation.get_name(), operation.get_type_name()
        sources = operation.input_values()
        if any(source.get_node().get_name() in fed for source in sources):
            fed.add(name)
        if name not in fed:
            continue
        if kind == "Reshape":
            _keep_first(operation, batch)
        elif kind == "Concat" and batch == 1 and operation.get_attributes()["axis"] != 0:
            own = [source for source in sources if source.get_node().get_name() in fed]
            for place, source in enumerate(sources):
                if source.get_node().get_name() not in fed:
                    operation.input(place).replace_source_output(_repeated(source, own[0]))


def miscounted(model: Any) -> str:  # noqa: ANN401  an ov.Model
    """Return what makes of some numbers more or fewer, "" if nothing does.

    OpenVINO does not check it where a first dimension is kept, and then computes beyond the end of
    its memory (2026.4).
    """
    for operation in model.get_ordered_ops():
        if operation.get_type_name() != "Reshape":
            continue
        before, after = operation.get_input_partial_shape(0), operation.get_output_partial_shape(0)
        if before.is_dynamic or after.is_dynamic:
            continue
        if math.prod(before.to_shape()) != math.prod(after.to_shape()):
            name = operation.get_friendly_name()
            return f"operation {name!r} cannot make {after} of {before}"
    return ""


def _keep_first(operation: Any, batch: int) -> None:  # noqa: ANN401  an ov.Node
    """Let a Reshape keep its input's first dimension, where both have the batch as a number."""
    pattern, given = operation.input_value(_SHAPE).get_node(), operation.get_input_partial_shape(0)
    if pattern.get_type_name() != "Constant" or given.rank.is_dynamic or not len(given):
        return
    shape = [int(side) for side in np.atleast_1d(pattern.data)]
    zeros = 0 in shape and not operation.get_attributes()["special_zero"]  # of size 0
    if zeros or not shape or shape[0] != batch or given[0] != batch:
        return
    operation.set_attribute("special_zero", True)  # noqa: FBT003  OpenVINO's
    kept = ops.constant(np.array([0, *shape[1:]], np.int64))
    operation.input(_SHAPE).replace_source_output(kept.output(0))


def _repeated(constant: Any, like: Any) -> Any:  # noqa: ANN401  ov.Output
    """Return what is the same for each image, once for each image of another tensor."""
    images = ops.gather(ops.shape_of(like), [0], 0)
    rest = np.ones(len(constant.get_partial_shape()) - 1, np.int64)
    target = ops.concat([images, ops.constant(rest)], 0)
    return ops.broadcast(constant, target, broadcast_spec="BIDIRECTIONAL").output(0)
