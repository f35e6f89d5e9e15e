from dataclasses import replace

from tasks.exploration.clusters import drawn
from tasks.exploration.dataset_clusters import agreement, as_table, cluster, described


def test_clusters_of_a_data_set_are_told_with_its_labels(pets_rows):
    found = cluster(pets_rows, 2)
    about = list(described(pets_rows, found, central=3))
    assert sorted((one.images, one.label, one.share) for one in about) == [
        (10, "cats", 1.0),
        (10, "dogs", 1.0),
    ]
    assert all(path.startswith(one.label) for one in about for path in one.central)
    assert agreement(pets_rows, found).rand_index == 1
    table = as_table(pets_rows, found)
    assert table.column_names == ["path", "cluster", "distance", "label"]
    assert set(table["cluster"].to_pylist()) == {"cluster 1", "cluster 2"}
    assert sorted(table["path"].to_pylist()) == sorted(pets_rows.paths)


def test_without_labels_there_is_nothing_to_agree_with(pets_rows):
    rows = replace(pets_rows, manifest=replace(pets_rows.manifest, classes=()))
    found = cluster(rows, 2)
    assert agreement(rows, found) is None
    assert {one.label for one in described(rows, found, central=1)} == {None}
    assert "label" not in as_table(rows, found).column_names


def test_all_of_a_few_images_are_drawn():
    assert drawn(5).tolist() == [0, 1, 2, 3, 4]
