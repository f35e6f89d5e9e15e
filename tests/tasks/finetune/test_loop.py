import keras
import numpy as np
import pytest
import tensorflow as tf

from tasks.finetune.loop import BinaryCrossEntropy


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_the_loss_of_two_classes_and_its_gradient_are_keras_own(smoothing):
    logits = tf.constant([[-90.0], [-3.0], [0.0], [0.5], [90.0], [90.0]])
    targets = tf.constant([[1.0], [0.0], [1.0], [1.0], [1.0], [0.0]])
    weights = tf.constant([1.0, 2.0, 1.0, 3.0, 1.0, 1.0])
    keras_own = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=smoothing)
    found = []
    for loss in (BinaryCrossEntropy(smoothing), keras_own):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(targets, logits, sample_weight=weights)
        found.append((float(value), np.asarray(tape.gradient(value, logits))))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-7)


def test_no_sum_in_its_gradient_has_an_order_that_could_change():
    @tf.function
    def gradient(targets, logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = BinaryCrossEntropy(0.1)(targets, logits)
        return tape.gradient(value, logits)

    graph = gradient.get_concrete_function(tf.ones((4, 1)), tf.ones((4, 1))).graph
    terms = [len(op.inputs) for op in graph.get_operations() if op.type == "AddN"]
    assert terms
    assert max(terms) == 2
