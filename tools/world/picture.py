"""Lays references and what methods drew of them side by side: one row for each concept, one column for each prompt.

    python tools/world/picture.py --results BUCKET/results/quickstart-… --references manifests/world/concepts \\
        --methods vico textual_inversion --out docs/quickstart.png
"""

import argparse
import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIDE, GAP, HEAD, SHOWN = 96, 8, 22, 2


def panels(given: argparse.Namespace, concept: str, drawn: list[dict]) -> list[tuple[str, list[Path]]]:
    """A title and the files below it, for the references and for each method."""
    references = sorted((given.references / concept).glob("*.png"))[:SHOWN]
    found = [("references", references)]
    for method in given.methods:
        rows = [row for row in drawn if (row["method"], row["concept"], row["sample"]) == (method, concept, 0)]
        rows = [row for row in rows if row["train_seed"] == min(row["train_seed"] for row in rows)]
        files = [given.results / row["file_name"] for row in sorted(rows, key=lambda row: row["prompt_index"])]
        found.append((method.replace("_", " "), files[: given.prompts]))
    return found


def paint(rows: list[list[tuple[str, list[Path]]]]) -> Image.Image:
    """All rows below one line of titles."""
    widths = [len(files) * SIDE for _, files in rows[0]]
    size = sum(widths) + GAP * (len(widths) - 1), HEAD + len(rows) * SIDE
    sheet, left = Image.new("RGB", size, "white"), 0
    for place, width in enumerate(widths):
        text, font = rows[0][place][0], ImageFont.load_default(15)
        ImageDraw.Draw(sheet).text((left + 2, 2), text, fill="black", font=font)
        for number, row in enumerate(rows):
            for column, file in enumerate(row[place][1]):
                picture = Image.open(file).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
                sheet.paste(picture, (left + column * SIDE, HEAD + number * SIDE))
        left += width + GAP
    return sheet


def main() -> None:
    """The command line."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--results", type=Path, required=True, help="a sweep's folder of results")
    options.add_argument("--references", type=Path, required=True, help="a folder with one folder for each concept")
    options.add_argument("--methods", nargs="+", required=True)
    options.add_argument("--prompts", type=int, default=4)
    options.add_argument("--out", type=Path, required=True)
    given = options.parse_args()
    drawn = [json.loads(line) for line in (given.results / "metadata.jsonl").read_text().splitlines()]
    concepts = sorted({row["concept"] for row in drawn})
    paint([panels(given, concept, drawn) for concept in concepts]).save(given.out, optimize=True)


if __name__ == "__main__":
    main()
