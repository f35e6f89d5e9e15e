"""What a task is given."""

from typing import TypeVar, cast

from prefect.utilities.annotations import quote as prefect_quote

Value = TypeVar("Value")


def quote(value: Value) -> Value:
    """Return a task's argument so that Prefect does not look for futures in it, with its type.

    Prefect hands the task the value itself; to look through a manifest of many images takes longer
    than the task.
    """
    return cast(Value, prefect_quote(value))
