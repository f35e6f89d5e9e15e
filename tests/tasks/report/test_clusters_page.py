from dataclasses import replace

from tasks.exploration.dataset_clusters import agreement, cluster, described
from tasks.report.clusters_page import clusters_page


def test_the_page_shows_each_cluster_and_nothing_in_it_acts(pets_rows):
    """No file of these images exists: each is grey, with the reason."""
    rows = replace(pets_rows, manifest=replace(pets_rows.manifest, name="<script>"))
    found = cluster(rows, 2)
    about = list(described(rows, found, central=3))
    page = clusters_page(rows, about, agreement(rows, found), made_by="gargalo").decode()
    assert page.count("<section>") == 2
    assert page.count("<img") == 6
    assert "100% cats" in page
    assert "<script>" not in page
    assert "http://" not in page
