import pytest

from tasks.datasets.split_names import meaning_of


@pytest.mark.parametrize(
    ("names", "meaning"),
    [
        (
            ["train", "training", "Train", "TRAIN", "training_set", "seg_train", "train2017"],
            "train",
        ),
        (["trainset", "TrainingSet", "train-images", "trainA", "train_01", "Train Data"], "train"),
        (["val", "valid", "validation", "val2017", "dev", "validation_set"], "validation"),
        (["test", "testing", "test1", "test_set", "seg_test", "TEST_SIMPLE", "holdout"], "test"),
        (["fold_0", "fold1", "Fold 3", "cv_2"], "fold"),
        (["eval", "evaluation"], "evaluation"),
        (["seg_pred", "unlabeled", "unlabelled_images"], "unlabelled"),
        (["cat", "bus", "trainer", "trains", "test_tube", "contest", "latest", "valve"], None),
        (["fitness_training", "protest", "", "train_test", "日本", "1", "images", "event"], None),
    ],
)
def test_a_name_means_a_split_where_nothing_else_stands_beside_it(names, meaning):
    assert {name: meaning_of(name) for name in names} == dict.fromkeys(names, meaning)


def test_loosely_anything_may_stand_beside_it():
    assert meaning_of("catdog_train", loosely=True) == "train"
    assert meaning_of("catdog_train") is None
    assert meaning_of("train_test", loosely=True) is None
