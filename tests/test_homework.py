"""The problem sets: stubs fail, solutions get all points, and no submission disturbs the grading of another."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import build_homework
import grade_homework
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parent.parent
every_master = pytest.mark.parametrize("master", build_homework.MASTERS, ids=lambda path: path.stem)


@pytest.fixture(scope="session")
def built():
    """Build each master once: student's edition, solutions, autograder."""
    kept = {}

    def build(master):
        if master not in kept:
            kept[master] = build_homework.build(master)
        return kept[master]

    return build


@every_master
def test_the_students_edition_is_the_one_of_its_master(master, built):
    student, _, _ = built(master)
    assert student == nbformat.read(build_homework.student_path(master), as_version=4), "run `make homework`"
    text = nbformat.writes(student)
    for trace in ("otter", "SOLUTION", "HIDDEN", "Rubric", "BEGIN QUESTION"):
        assert trace not in text.replace("scooter", ""), f"the students' edition shows {trace!r}"


@every_master
def test_a_set_says_its_points_and_has_a_rubric_for_what_a_person_reads(master, built):
    student, solutions, _ = built(master)
    prose = "\n".join(cell.source for cell in student.cells if cell.cell_type == "markdown")
    points = build_homework.points(master)
    assert sum(points.values()) == 40
    for number, (name, value) in enumerate(points.items(), 1):
        kind = ", read by a person" if name in build_homework.manual(master) else ""
        assert f"## {number} · " in prose and f"({value:g} points{kind})" in prose, name
    assert nbformat.writes(solutions).count("Rubric") >= len(build_homework.manual(master))


@every_master
def test_the_students_edition_runs_alone_and_its_stubs_fail(master, tmp_path):
    notebook = nbformat.read(build_homework.student_path(master), as_version=4)
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()
    verdicts = [
        output.data["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "execute_result" and "checks." in cell.source
    ]
    assert len(verdicts) == sum(
        "\nchecks." in f"\n{cell.source}" for cell in notebook.cells if cell.cell_type == "code"
    )
    assert all(verdict.startswith("✗") for verdict in verdicts), verdicts
    assert list(tmp_path.iterdir()) == []


def graded(folder, which):
    """Grade a folder from the command line; return (student, question) → (points, reason)."""
    command = [sys.executable, grade_homework.__file__, str(folder), which]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    [table] = folder.glob("*.csv")
    with table.open(newline="", encoding="utf-8-sig") as file:
        return {(row["student"], row["question"]): (row["points"], row["reason"]) for row in csv.DictReader(file)}


@every_master
def test_solutions_get_all_points(master, built, tmp_path):
    _, solutions, _ = built(master)
    nbformat.write(solutions, tmp_path / "Ada Lovelace.ipynb")
    rows = graded(tmp_path, master.stem)
    for question, most in build_homework.points(master).items():
        points, reason = rows["Ada Lovelace", question]
        if question in build_homework.manual(master):
            assert (points, reason) == ("", "to be read by the teacher")
        else:
            assert float(points) == most, (question, reason)


def test_what_goes_wrong_in_one_submission_costs_its_question_and_nobody_else(built, tmp_path, monkeypatch):
    master = build_homework.MASTERS[1]
    _, solutions, _ = built(master)
    assert "set_1" in master.stem

    def submit(name, old, new):
        notebook = nbformat.from_dict(solutions)
        for cell in notebook.cells:
            cell.source = cell.source.replace(old, new)
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")

    # The trainings are not what is tested here.
    long = ("epochs, batch, errors, best = 60", "pixels = valid.flatten(1)", "[run(make, seed) for")
    for words, instead in zip(long, ("epochs, batch, errors, best = 1", None, None), strict=True):
        [cell] = [cell for cell in solutions.cells if words in cell.source and cell.cell_type == "code"]
        cell.source = cell.source.replace(words, instead) if instead else "..."
    submit("renamed by hand (2)", "", "")
    submit(
        "forever", "def complete(x, known, k, rounds):", "while True:\n    pass\n\n\ndef complete(x, known, k, rounds):"
    )
    # It sleeps, because that leaves the processor to others.
    wait = "    while True:\n        __import__('time').sleep(0.1)\n    start = torch.where"
    submit("never", "    start = torch.where", wait)
    submit(
        "leaves", "    start = torch.where", "    if len(x) > 100:\n        raise SystemExit\n    start = torch.where"
    )
    submit("greedy", "def complete(x", "much = [torch.ones(2**28) for _ in range(100)]\n\n\ndef complete(x")
    submit("typo", "def complete(x, known", "def complete(x known")
    (tmp_path / "cut.ipynb").write_text('{"cells": [')
    monkeypatch.setattr(grade_homework, "CELL_SECONDS", 15)
    submissions = sorted(tmp_path.glob("*.ipynb"))
    rows = {(s, q): (points, reason) for s, q, points, _, reason in grade_homework.grade(submissions, master, tmp_path)}
    assert rows["renamed by hand (2)", "q2"][0] == 7
    for name, words in {
        "forever": "NameError",
        "greedy": "NameError",
        "typo": "NameError",
        "never": "running",
        "leaves": "SystemExit",
    }.items():
        points, reason = rows[name, "q2"]
        assert points < 7 and (words in reason or "no answer yet" in reason), (name, reason)
        assert rows[name, "q1"][0] == 8 and rows[name, "q5"][0] == 6, name
    assert rows["cut", "q1"] == (0, "the file is no notebook that can be read (NotJSONError)")


def test_wrong_words_on_the_command_line_are_answered_in_a_sentence(tmp_path):
    for words, answer in (
        ([], "make grade SUBMISSIONS=folder SET=1"),
        ([str(tmp_path), "9"], "There is no set '9'"),
        ([str(tmp_path), "1"], "holds no notebook"),
    ):
        done = subprocess.run([sys.executable, grade_homework.__file__, *words], capture_output=True, text=True)
        assert done.returncode == 1 and answer in done.stderr and "Traceback" not in done.stderr
