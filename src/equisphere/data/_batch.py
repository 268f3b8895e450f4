"""Many files to coefficients: in parallel, cached by content, and not stopped by a bad one."""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from equisphere import _checks
from equisphere._files import check_folder, replacing
from equisphere.data._project import READERS, Projected, Projection, project_file
from equisphere.data._source import DataError

#: raised whenever the numbers of a projection change, so that caches of before are not taken for them
VERSION = 1


@dataclass(frozen=True)
class Outcome:
    """What became of one file: where its coefficients are, or why there are none."""

    source: Path
    output: Path
    error: str | None = None
    cached: bool = False


def find_files(given: Sequence[str | Path]) -> dict[Path, Path]:
    """Files, and for folders all that they hold of a known kind; each with its place below an output folder.

    Raises:
        DataError: where nothing is found, or two files would have one place.
    """
    found: dict[Path, Path] = {}
    for one in map(Path, given):
        if one.is_dir():
            inside = sorted(p for p in one.rglob("*") if p.suffix.lower() in READERS and p.is_file())
            if not inside:
                raise DataError(f"the folder {one} holds no file of a known kind ({', '.join(sorted(READERS))}).")
            found |= {p: p.relative_to(one) for p in inside}
        else:
            found[one] = Path(one.name)
    places: dict[Path, Path] = {}
    for source, place in found.items():
        if place in places:
            raise DataError(f"{places[place]} and {source} would both be written to {place}.npz: project them apart.")
        places[place] = source
    return {source: place.with_name(place.name + ".npz") for source, place in found.items()}


def project_files(
    files: dict[Path, Path],
    output: str | Path,
    settings: Projection,
    cache: str | Path | None = None,
    workers: int = 1,
    done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Project files and write `output/PLACE` for each: an npz with `coefficients`, `channels` and what made them.

    A file that cannot be read is an outcome with an error, and so is one that kills its process; the others go on. Files are
    written whole or not at all. What is in the cache is found by the content of a file and the settings, not by its name.

    Args:
        files: sources and their places below the output folder, as `find_files` gives them.
        output: folder.
        settings: of the projection.
        cache: folder; None for none. It may be shared by processes and deleted at any time.
        workers: processes; 1 works in this one.
        done: is told each outcome as it comes, for a progress bar.

    Returns:
        Outcomes in the order of the files.

    Raises:
        ValueError: before any file is read, where the output or the cache cannot be a folder, or there are no workers.
    """
    workers = _checks.positive_int(workers, "workers")
    check_folder(Path(output), "output")
    if cache:
        check_folder(Path(cache), "cache")
    tasks = [(source, Path(output) / place) for source, place in files.items()]
    work = partial(_project, settings=settings, cache=Path(cache) if cache else None)
    outcomes: dict[Path, Outcome] = {}
    for outcome in map(work, tasks) if workers == 1 else _parallel(work, tasks, workers):
        outcomes[outcome.source] = outcome
        done(outcome)
    return [outcomes[source] for source, _ in tasks]


def load_projected(path: str | Path) -> Projected:
    """Read what `project_files` wrote.

    Raises:
        DataError: where the file is missing or no such file; the message names it.
    """
    try:
        with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            notes = json.loads(str(file["notes"]))
            return Projected(torch.from_numpy(file["coefficients"]), file["channels"].tolist(), notes["kind"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no file of projected coefficients ({type(error).__name__}: {error}).") from error


def _parallel(work: Callable[[Any], Outcome], tasks: list[Any], workers: int) -> Iterator[Outcome]:
    """Outcomes as they come. Where a process dies, those files that were not finished go one by one, to find the culprit."""
    left = dict(tasks)
    try:
        with _pool(min(workers, len(tasks))) as pool:
            for future in as_completed([pool.submit(work, task) for task in tasks]):
                outcome = future.result()
                del left[outcome.source]
                yield outcome
    except BrokenProcessPool:
        for task in list(left.items()):
            try:
                with _pool(1) as pool:
                    yield pool.submit(work, task).result()
            except BrokenProcessPool:
                yield Outcome(
                    *task, error=f"{task[0]} killed the process that read it: out of memory, or a faulty reader."
                )


def _pool(workers: int) -> ProcessPoolExecutor:
    # fresh processes: a fork of one that runs threads may hang
    return ProcessPoolExecutor(workers, get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,))


def _project(task: tuple[Path, Path], settings: Projection, cache: Path | None) -> Outcome:
    source, target = task
    try:
        kept = None if cache is None or not source.is_file() else cache / f"{_key(source, settings)}.npz"
        if kept is not None and _take(kept, target):
            return Outcome(source, target, cached=True)
        found = project_file(source, settings)
        notes = json.dumps({"kind": found.kind, "settings": settings.to_dict(), "version": VERSION})
        for place in filter(None, (kept, target)):
            with replacing(place) as part, part.open("wb") as opened:
                np.savez(
                    opened, coefficients=found.coefficients.numpy(), channels=np.array(found.channels), notes=notes
                )
    except (DataError, OSError, MemoryError) as error:
        return Outcome(source, target, str(error) or f"{source}: {type(error).__name__}")
    except Exception as error:  # one file, however strange, must not end the batch
        return Outcome(source, target, f"{source}: {type(error).__name__}: {error}")
    return Outcome(source, target)


def _take(kept: Path, target: Path) -> bool:
    """Copy from the cache, unless what is there is not whole (a zip file knows the checksum of its parts)."""
    try:
        load_projected(kept)
    except DataError:
        return False
    with replacing(target) as part:
        shutil.copyfile(kept, part)
    return True


def _key(source: Path, settings: Projection) -> str:
    digest = hashlib.sha256(json.dumps([VERSION, source.suffix.lower(), settings.to_dict()], sort_keys=True).encode())
    with source.open("rb") as opened:
        while block := opened.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def default_workers(files: int) -> int:
    """Processes worth starting for so many files: one for a few, since a process needs seconds to start."""
    return max(1, min(os.cpu_count() or 1, files // 32))
