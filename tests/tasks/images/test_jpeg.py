"""What is counted in a JPEG's bytes."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.images.jpeg import occurrences

SCAN = b"\xff\xda"
PIECES = st.lists(st.sampled_from([b"\xff", b"\xda", b"\0", SCAN]), max_size=40)


@given(PIECES)
def test_a_pair_is_counted_as_by_python_wherever_it_begins(pieces):
    content = b"".join(pieces)
    assert occurrences(content, SCAN) == content.count(SCAN)
