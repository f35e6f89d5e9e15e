"""The groups of `--help`, in the order in which they are shown.

A field is put into one by `Annotated[type, FEATURES]`. MOST_USED has the few that most people need.
"""

from cyclopts import Group, Parameter

_NAMES = ("Arguments", "Most used", "Data", "Features", "Head", "Run", "Output")
ARGUMENTS, _most_used, _data, _features, _head, _run, OUTPUT_GROUP = (
    Group(name, sort_key=place) for place, name in enumerate(_NAMES)
)
MOST_USED = Parameter(group=_most_used)
DATA = Parameter(group=_data)
FEATURES = Parameter(group=_features)
HEAD = Parameter(group=_head)
RUN = Parameter(group=_run)
OUTPUT = Parameter(group=OUTPUT_GROUP)
