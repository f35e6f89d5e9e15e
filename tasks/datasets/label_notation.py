"""How a table writes labels: a class, several labels with a separator between them, or a number."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from stores.manifest import Manifest
from stores.manifest_rows import places_of
from stores.targets import Target, labels_text, names_of, number_text
from tasks.datasets.path_table import PathTable, TableMistake, as_text
from tasks.errors import InputError


@dataclass(frozen=True)
class LabelNotation:
    """What a label is, and how it is written.

    `separator` stands between several labels. `column` is the name of a number: that of its column.
    """

    target: Target = "classes"
    separator: str = ""
    column: str = ""

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Return that of a data set."""
        column = manifest.classes[0] if manifest.target == "number" else ""
        return cls(manifest.target, manifest.label_separator, column)

    @property
    def shown(self) -> str:
        """What a data set has instead of classes, for a message."""
        if self.target == "labels":
            return f"several labels with {self.separator!r} between them"
        return "classes" if self.target == "classes" else f"the number {self.column!r}"

    def cell(self, value: object, number: int) -> str | None:
        """Return the value of a row's label as text; raises TableMistake.

        A number may be one of floating point, and several labels a list of texts.
        """
        if self.target == "number" and isinstance(value, float | Decimal):
            return repr(float(value))
        if self.target == "labels" and isinstance(value, list):
            names = [as_text(name, number) or "" for name in value]
            if strange := [name for name in names if not name or self.separator in name]:
                raise TableMistake(
                    f"row {number}: expected a list of labels without {self.separator!r} in them. "
                    f"Received: {strange[0]!r}; give another --label-separator, or mend the row"
                )
            return as_text(self.separator.join(names), number)
        return as_text(value, number)

    def canonical(self, text: str) -> str:
        """Return a label as a manifest has it; raises ValueError for one that is not valid."""
        if self.target == "number":
            try:
                return number_text(float(text))
            except ValueError:
                raise ValueError("expected a finite number such as 3.5") from None
        if self.target == "classes" or not text:
            return text
        names = [name.strip() for name in text.split(self.separator)]
        if "" in names:
            raise ValueError(f"a label between {self.separator!r} is empty")
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the label {twice[0]!r} is there twice")
        return labels_text(names, self.separator)

    def classes_of(self, labels: pa.ChunkedArray) -> tuple[str, ...]:
        """Return the names of a data set's classes, sorted, by its images' labels."""
        texts = labels.drop_null().unique().to_pylist()
        if self.target == "number":
            return (self.column,)
        if self.target == "labels":
            texts = {name for text in texts for name in names_of(text, self.separator)}
        return tuple(sorted(texts))

    def names_in(self, text: str) -> list[str]:
        """Return the classes that a label names; of a number, its column."""
        if self.target == "number":
            return [self.column]
        return names_of(text, self.separator) if self.target == "labels" else [text]

    @property
    def noun(self) -> str:
        """What one of a data set's names is."""
        return "label" if self.target == "labels" else "class"

    def first_unknown(self, text: str, classes: Collection[str]) -> str | None:
        """Return the first name in a label that is none of the data set's."""
        return next((name for name in self.names_in(text) if name not in classes), None)


CLASSES = LabelNotation()


def in_notation(
    table: PathTable, notation: LabelNotation, *, besides: Collection[str] = ()
) -> PathTable:
    """Return a table whose labels are as a manifest has them, but for those of `besides`.

    An empty cell is an image with none of several labels. Raises InputError with the row of a label
    that is not valid.
    """
    if notation.target == "classes" or "label" not in table.columns:
        return table
    rows, what = table.rows, notation.column or "labels"
    labels = rows["label"].fill_null("")
    found = dict[str, str]()
    for text in labels.unique().to_pylist():
        try:
            found[text] = text if text in besides else notation.canonical(text)
        except ValueError as error:
            at = pc.index(labels, text).as_py()
            of = f" of {rows['path'][at].as_py()!r}" if "path" in rows.column_names else ""
            raise InputError(
                f"{table.file}: row {at + 1}: the {what}{of}: {error}. Received: "
                f"{text!r}; mend or remove the row"
            ) from None
    known = pa.chunked_array([pa.array(list(found), pa.string())])
    texts = pa.array(list(found.values()), pa.string()).take(places_of(labels, known))
    place = rows.schema.get_field_index("label")
    return replace(table, rows=rows.set_column(place, "label", pa.chunked_array([texts])))
