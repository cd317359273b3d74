"""Play never breaks: run each lesson as a learner has it, with other numbers.

python tests/play.py          every lesson of a class hour, five variants of each (about 40 minutes on two CPU cores)
python tests/play.py 03 …     the same, for lesson 03 and its pages only
"""

import re
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks" / "source"))

import build_notebooks as build  # noqa: E402

EPOCHS = r"\b((?:epochs|steps|EPOCHS|STEPS)\w*\s*=\s*(?:budget\(cpu=)?)(\d+)"
RATE = r"\b((?:lr|LR)\w*\s*=\s*(?:budget\(cpu=)?)([\d.]+(?:e-?\d+)?)"
CODE = r"\b((?:latent_dim|CODE)\w*\s*=\s*)(\d+)"
# What is changed → where it stands, and what is put there.
VARIANTS = {
    "another seed": (r"(seed_everything\()(\d+)", lambda number: str(int(number) + 100)),
    "half the epochs": (EPOCHS, lambda number: str(max(1, int(number) // 2))),
    "a three times larger learning rate": (RATE, lambda number: f"{3 * float(number):g}"),
    "a three times smaller learning rate": (RATE, lambda number: f"{float(number) / 3:g}"),
    "another code size": (CODE, lambda number: str(int(number) + max(1, int(number) // 4))),
}


def varied(source: Path, pattern: str, change) -> tuple[build.nbformat.NotebookNode, int]:
    """Return the learner's notebook with the numbers changed, and how many these were."""
    notebook, count = build.to_notebook(source), 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source, number = re.subn(pattern, lambda found: found[1] + change(found[2]), cell.source)
            count += number
    return notebook, count


def main() -> None:
    """Run every variant and report each; end with an error if any broke."""
    broken = []
    for source in [s for s in (*build.SOURCES, *build.PAGES) if s.stem.startswith(tuple(sys.argv[1:]) or "")]:
        for name, (pattern, change) in VARIANTS.items():
            notebook, count = varied(source, pattern, change)
            if not count:
                print(f"{source.stem}: {name}: nothing to change", flush=True)
                continue
            try:
                with tempfile.TemporaryDirectory() as folder:
                    seconds = build.execute(notebook, source.stem, Path(folder))
                print(f"{source.stem}: {name}: {count} numbers changed, runs ({seconds} s)", flush=True)
            except build.LessonError as error:
                broken.append(f"{source.stem}: {name}")
                print(f"{source.stem}: {name}: BROKEN\n{error}", flush=True)
    sys.exit(f"{len(broken)} broken: {'; '.join(broken)}" if broken else 0)


if __name__ == "__main__":
    main()
