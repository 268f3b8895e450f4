"""Several trainings at a time, each in a process of its own."""

import signal
from collections.abc import Mapping
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import torch
from tqdm import tqdm

from equisphere.data import DataSet
from equisphere.train._fit import Run, RunError, fit
from equisphere.train._recipes import Recipe


def fit_side_by_side(
    recipes: Mapping[Path, Recipe], data: DataSet, progress: bool = True, at_once: int | None = None
) -> dict[Path, Run]:
    """Train every recipe into its folder, or go on with the run that is there: as `fit` with `resume=True`.

    The networks of small signals gain a quarter from a second thread: two trainings of a thread each are through long
    before two of two threads one after the other. The threads of this process are shared out.

    A script that calls this must guard its own main part by `if __name__ == "__main__":`, as for any process that it starts.

    Args:
        recipes: by folder.
        data: for all of them.
        progress: show a bar for each.
        at_once: how many at a time; by default as many as there are threads. One needs no process.

    Raises:
        RunError: as `fit`, and where a process ends before its training does. The others are then ended too; all can be
            resumed.
    """
    threads = torch.get_num_threads()
    at_once = min(len(recipes), threads if at_once is None else at_once)
    if at_once > 1:
        open_runs = {folder: recipe for folder, recipe in recipes.items() if not (folder / "figures.json").exists()}
        _train(open_runs, data, progress, at_once, max(1, threads // at_once))
    return {
        folder: fit(recipe, folder, data, progress=progress, resume=True)  # at once, where it was trained above
        for folder, recipe in recipes.items()
    }


def _train(recipes: Mapping[Path, Recipe], data: DataSet, progress: bool, at_once: int, threads: int) -> None:
    bars = {
        folder: tqdm(total=recipe.epochs, desc=folder.name, unit="epoch", position=place, disable=not progress)
        for place, (folder, recipe) in enumerate(recipes.items())
    }
    waiting = list(recipes.items())
    running: dict[SpawnProcess, tuple[Path, Connection]] = {}
    context = get_context("spawn")  # a fork of a process whose threads hold locks may never end
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                folder, recipe = waiting.pop(0)
                there, here = context.Pipe(duplex=False)
                process = context.Process(target=_fit_alone, args=(recipe, folder, data, threads, here), daemon=True)
                process.start()
                here.close()
                running[process] = folder, there
            connection.wait([process.sentinel for process in running], timeout=0.5)
            for process in [process for process in running if process.exitcode is not None]:
                folder, there = running.pop(process)
                _raise_its_error(folder, there, process.exitcode)
            for folder, bar in bars.items():
                bar.update(_epochs(folder) - bar.n)
    finally:
        for process in running:
            process.kill()  # a run may be cut off anywhere
            process.join()
        for bar in bars.values():
            bar.close()


def _fit_alone(recipe: Recipe, folder: Path, data: DataSet, threads: int, report: Connection) -> None:
    """What a process of its own does; what goes wrong there is sent to the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the first process ends the others
    torch.set_num_threads(threads)
    try:
        fit(recipe, folder, data, progress=False, resume=True)
        report.send(None)
    except Exception as error:
        report.send(error)


def _raise_its_error(folder: Path, there: Connection, exitcode: int | None) -> None:
    try:
        error = there.recv()
    except EOFError:
        error = RunError(
            f"the training in {folder} was ended from outside (exit code {exitcode}; -9 may mean that memory ran out). "
            "Called again, it goes on from its last whole epoch."
        )
    if error is not None:
        raise error


def _epochs(folder: Path) -> int:
    """How many epochs the log of a run holds."""
    try:
        return max(0, len((folder / "metrics.csv").read_text().splitlines()) - 1)
    except OSError:
        return 0
