"""The page of all reports lists what is a report, and trusts no name."""

from stores.layout import locate
from tasks.report.index import listed_reports, write_index


def test_reports_are_listed_and_other_files_are_not(store):
    folder = locate(store).path / "reports"
    folder.mkdir(parents=True)
    for name in (f"pets-{'a' * 16}.html", f"a & b-{'b' * 16}.html", "notes.html"):
        (folder / name).write_text("")
    write_index(store)
    found = listed_reports(store)
    assert {(one.dataset, one.run[0]) for one in found} == {("pets", "a"), ("a & b", "b")}
    page = (folder / "index.html").read_text()
    assert f'href="a%20%26%20b-{"b" * 16}.html">a &amp; b</a>' in page
    assert "notes.html" not in page
    write_index(store)  # it does not list itself
    assert (folder / "index.html").read_text() == page
