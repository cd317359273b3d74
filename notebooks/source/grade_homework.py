"""Grade a folder of submitted notebooks: one line per student and question, in a CSV.

python notebooks/source/grade_homework.py FOLDER SET [CSV]     for example: submissions 1

Each notebook runs in a process and a folder of its own, by otter-grader, with limits: CELL_SECONDS for a cell, SECONDS for
the whole notebook, MEMORY for what it may allocate beyond the libraries. Whatever happens in one of them costs the points
of its questions, with the reason in the last column, and disturbs no other. That is protection from accidents, not from
malice: the code runs with your rights, on your files (see notebooks/homework/TEACHERS.md).
"""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from tqdm import tqdm

import build_homework
from build_homework import BUILT, MASTERS

CELL_SECONDS, SECONDS, MEMORY = 60, 240, 4 * 2**30
ONE = Path(__file__).with_name("grade_one.py")
COLUMNS = ("student", "question", "points", "of", "reason")

# Runs first, in the student's kernel: limits of time for each cell and for each hidden test, and of memory. It interrupts
# as Ctrl-C does, because that works on Windows, too.
GUARD = """
import threading as _threading, _thread
from otter.test_files import test_case as _test_case
import matplotlib.pyplot, sklearn.decomposition, torch, vae_helpers.evaluate, vae_helpers.train, vae_helpers.widgets
import torch._dynamo  # which the first step of a training imports: an interrupt must not leave half of it
try:
    import resource as _resource
    _used = int(open("/proc/self/statm").read().split()[0]) * _resource.getpagesize()
    _resource.setrlimit(_resource.RLIMIT_AS, (_used + {memory}, _resource.RLIM_INFINITY))
except (ImportError, OSError, ValueError):
    pass  # limits of memory are Linux's
class _Clock:
    timer = None
    def start(self, *_):
        self.stop()
        self.timer = _threading.Timer({seconds}, _thread.interrupt_main)
        self.timer.daemon = True
        self.timer.start()
    def stop(self, *_):
        if self.timer:
            self.timer.cancel()
def _limited(test, environment, call=_test_case.call_func):
    # With the traceback of what happened, because otter looks two levels down in it for a line to show.
    try:
        _clock.start()
        try:
            call(test, environment)
        finally:
            _clock.stop()
    except KeyboardInterrupt as stop:
        late = TimeoutError("still running after {seconds} s when it was tried")
        raise late.with_traceback(stop.__traceback__) from None
    except SystemExit as end:
        left = RuntimeError("it ended Python (SystemExit) when it was tried")
        raise left.with_traceback(end.__traceback__) from None
_clock, _test_case.call_func = _Clock(), _limited
get_ipython().events.register("pre_run_cell", _clock.start)
get_ipython().events.register("post_run_cell", _clock.stop)
"""


def main() -> None:
    """Grade what the command line names."""
    if len(sys.argv) not in (3, 4):
        sys.exit(
            "Say which folder and which set, for example: make grade SUBMISSIONS=folder SET=1"
        )
    folder, which = Path(sys.argv[1]).expanduser(), sys.argv[2]
    masters = [m for m in MASTERS if m.stem.startswith((f"set_{which}_", which))]
    if len(masters) != 1:
        sys.exit(
            f"There is no set {which!r}; there are: {', '.join(m.stem for m in MASTERS)}."
        )
    submissions = sorted(folder.rglob("*.ipynb"))
    submissions = [s for s in submissions if ".ipynb_checkpoints" not in s.parts]
    if not submissions:
        sys.exit(f"{folder} holds no notebook (*.ipynb).")
    rows = grade(submissions, masters[0], folder)
    target = Path(sys.argv[3]) if len(sys.argv) == 4 else folder / f"{masters[0].stem}.csv"
    with target.open(
        "w", newline="", encoding="utf-8-sig"
    ) as file:  # with a mark, so that Excel reads accents
        csv.writer(file).writerows([COLUMNS, *rows])
    print(f"{len(submissions)} submissions graded: {target}")


def grade(submissions: list[Path], master: Path, folder: Path) -> list[tuple]:
    """Return the rows of all submissions, two or more at a time on as many cores."""
    autograder = BUILT / master.stem / "autograder.zip"
    newest = max(p.stat().st_mtime for p in (master, Path(build_homework.__file__)))
    if not autograder.exists() or autograder.stat().st_mtime < newest:
        _, _, content = build_homework.build(master)
        autograder.parent.mkdir(parents=True, exist_ok=True)
        autograder.write_bytes(content)
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2))) as pool:
        graded = pool.map(lambda s: grade_one(s, autograder), submissions)
        found = list(tqdm(graded, total=len(submissions), unit="notebook", disable=None))
    rows = []
    for submission, (scores, problem) in zip(submissions, found, strict=True):
        student = submission.relative_to(folder).with_suffix("").as_posix()
        for question, most in build_homework.points(master).items():
            if question in build_homework.manual(master):
                rows.append((student, question, "", most, "to be read by the teacher"))
            else:
                points, reason = scores.get(
                    question, (0, problem or "this question was not reached")
                )
                rows.append((student, question, round(points, 2), most, reason))
    return rows


def grade_one(submission: Path, autograder: Path) -> tuple[dict, str]:
    """Grade a notebook in a process of its own: question → (points, reason), and why there may be nothing."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        guarded, scores = Path(folder, "submission.ipynb"), Path(folder, "scores.json")
        try:
            notebook = nbformat.read(submission, as_version=4)
            guard = GUARD.format(seconds=CELL_SECONDS, memory=MEMORY)
            notebook.cells.insert(0, nbformat.v4.new_code_cell(guard))
            nbformat.write(notebook, guarded)
        except Exception as error:  # whatever is wrong with a student's file
            return {}, f"the file is no notebook that can be read ({type(error).__name__})"
        words = [sys.executable, ONE, guarded, autograder, scores]
        settings = os.environ | {
            "OMP_NUM_THREADS": "1",
            "VAE_OFFLINE": "1",
            "MPLBACKEND": "agg",
        }
        process = subprocess.Popen(
            [str(word) for word in words],
            cwd=folder,
            env=settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said = process.communicate(timeout=SECONDS)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL) if os.name == "posix" else process.kill()
            process.communicate()
            return {}, f"the notebook was still running after {SECONDS} s"
        if not scores.exists():
            last = (said.strip().splitlines() or ["no reason given"])[-1]
            return {}, f"the notebook could not be graded: {last[:200]}"
        return json.loads(scores.read_text(encoding="utf-8")), ""


if __name__ == "__main__":
    main()
