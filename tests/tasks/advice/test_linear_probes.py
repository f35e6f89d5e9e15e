import numpy as np
import pytest

from tasks.advice.linear_probes import chance, classes_of_answers, mean_recall, probe


def made(size, signal, *, rare=0.5):
    """Return features of two classes, of which the second has a share `rare`; labels and folds."""
    rng = np.random.default_rng(0)
    labels = (np.arange(size) < rare * size).astype(np.int64)
    features = rng.normal(size=(size, 8))
    features[:, 3] += signal * labels
    return features, labels, np.arange(size) % 5


def test_a_probe_finds_what_a_linear_function_can_tell():
    features, labels, folds = made(200, 4.0)
    assert mean_recall(probe(features, labels, folds), labels) > 0.95


def test_no_image_is_learned_before_it_is_said():
    features, labels, folds = np.eye(40), np.arange(40) % 2, np.arange(40) // 2 % 5
    assert mean_recall(probe(features, labels, folds), labels) <= 0.6


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    features, labels, folds = made(400, 2.0, rare=0.05)
    said = probe(features, labels, folds)
    assert (said[labels == 1] == 1).mean() > 0.6
    assert mean_recall(np.zeros_like(labels), labels) == 0.5


def test_labels_that_have_nothing_to_do_with_the_images_are_chance():
    features, labels, folds = made(100, 0.0)
    assert chance(probe(features, labels, folds), labels) > 0.05
    features, labels, folds = made(100, 2.0)
    assert chance(probe(features, labels, folds), labels) < 0.001


def test_answers_stand_for_the_class_that_they_go_with_elsewhere():
    answers = np.array([7, 7, 7, 2, 2, 2])
    labels, folds = np.array([0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 0, 1, 2])
    assert classes_of_answers(answers, labels, folds).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 2, 2, 2]])
def test_mean_recall_is_that_of_the_classes_that_there_are(labels):
    labels = np.array(labels)
    assert mean_recall(labels, labels) == 1.0
    assert mean_recall(np.full(4, labels[1]), labels) == 0.5
