"""Grade one submission, in a process of its own that imports nothing but otter-grader; started by grade_homework.py.

python notebooks/source/grade_one.py SUBMISSION AUTOGRADER SCORES
"""

import json
import re
import sys
from pathlib import Path

from otter.run import main as run


def grade_one(submission: str, autograder: str, target: str) -> None:
    """Let otter run one submission, and write question → (points, reason) to ``target`` as JSON."""
    results = run(submission, autograder=autograder, output_dir=None, no_logo=True)
    scores = {}
    for name, file in results.results.items():
        failed = [case for case in file.test_case_results if not case.passed]
        scores[name] = (file.score, " ".join(reason(case.message) for case in failed))
    Path(target).write_text(json.dumps(scores), encoding="utf-8")


def reason(message: str | None) -> str:
    """Return the last line of a failed test's message, which says what was wrong."""
    lines = re.sub(r"\x1b\[[\d;]*m", "", message or "").strip().splitlines()
    return (
        lines[-1].strip().removeprefix("AssertionError: ")
        if lines
        else "a hidden test failed"
    )


if __name__ == "__main__":
    grade_one(*sys.argv[1:])
