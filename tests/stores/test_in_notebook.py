from stores.in_notebook import MOST_ROWS, InNotebook, Table

EVIL = "<script>alert(1)</script>\x1b[2J\u202e"


class Result(InNotebook):
    def tables(self):
        yield Table(EVIL, [{EVIL: EVIL, "accuracy": 0.98765, "failed": None, "images": 12345}])
        yield Table("a & b", [])


def test_no_name_acts_on_the_page():
    page = Result()._repr_html_()
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;\\x1b[2J\\u202e") == 3
    assert "<script" not in page
    assert page.isprintable()
    assert "<td>0.9877</td><td>–</td><td>12,345</td>" in page
    assert "<p>a &amp; b</p>" in page


def test_of_many_rows_the_first_are_shown():
    page = Table("numbers", [{"number": n} for n in range(MOST_ROWS + 5)]).as_html()
    assert page.count("<td>") == MOST_ROWS
    assert "and 5 more" in page
