"""Videos -> a data set of shards. Videos are cut in parallel, stored when finished, and assembled in a fixed order.

The same videos and options make the same files, whatever the order of the work, the executor or interruptions.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.files.atomic import check_new_folder
from diffposetalk.parallel import Executor, Function, Result
from diffposetalk.progress import Progress, over, silent
from diffposetalk.workshop.footage.assemble import Outcome, assembled
from diffposetalk.workshop.footage.cut import check_installed
from diffposetalk.workshop.footage.manifest import rejected
from diffposetalk.workshop.footage.options import BuildOptions, CutOptions
from diffposetalk.workshop.footage.sources import Source, check_shares, find_videos, split_notes
from diffposetalk.workshop.footage.staging import Staging, cut_to_bytes, digest_of


@dataclass(frozen=True)
class Built:
    """Result of `build`."""

    output: Path
    """The data set."""
    videos: int
    used: int
    """Number of videos that gave at least one clip."""
    clips: int
    hours: float
    """Length of all clips."""
    speakers: int
    splits: dict[str, dict[str, float]]
    """By split, its `speakers`, `clips` and `hours`."""
    rejected: dict[str, dict[str, float]]
    """By reason: number of rejected `videos`, number of rejected `stretches` of other videos, and the `seconds` of both."""
    resumed: int
    """Videos that an earlier run had finished."""
    work_seconds: float
    """Processor time of all workers in this run, seconds of one core."""
    video_seconds: float
    """Length of the videos that were cut in this run, where known."""
    wall_seconds: float
    notes: tuple[str, ...] = ()
    """One line for each split whose size differs from the requested share."""
    failures: tuple[str, ...] = field(default=(), repr=False)
    """One line for each video that made workers die or that met a defect of this program; the next run tries them again."""

    @property
    def cost(self) -> float | None:
        """Seconds of one core for each second of video."""
        return self.work_seconds / self.video_seconds if self.video_seconds else None


def build(
    videos: Sequence[str | Path],
    output: str | Path,
    executor: Executor,
    cutting: CutOptions | None = None,
    options: BuildOptions | None = None,
    progress: Progress | None = None,
    function: Function = cut_to_bytes,
    prepare: Callable[[CutOptions], None] = check_installed,
) -> Built:
    """Build a data set from videos, or resume an interrupted build.

    Args:
        videos: files and folders.
        output: folder to be made; absent or empty.
        executor: where the work is done.
        cutting: requirements of a clip.
        options: folder of finished videos, and shares of the splits.
        progress: called with the number of videos done, their total, and the step.
        function: cuts a video, named by its path, and returns the bytes of its `Cut`.
        prepare: raises if `function` cannot work on this machine.

    Returns:
        Counts of used and rejected videos and stretches.

    Raises:
        UsageError: the output already exists, or a share is out of range.
        InputError: a path or table is wrong, or the videos give not one clip; the manifest is then in the work folder.
        DiffPoseTalkError: a package is missing here or on another machine, or the disk refuses.
    """
    started = time.monotonic()
    cutting, options = cutting or CutOptions(), options or BuildOptions()
    output = check_new_folder(output)
    check_shares(options.val, options.test)
    sources = find_videos(videos, options.speakers)
    progress = progress or silent
    work = options.work or output.absolute().with_name(f"{output.name}.work")
    staging = Staging(work, cutting)
    digests = _digests(sources, progress)
    first_of: dict[str, Source] = {}
    for source in sources:
        first_of.setdefault(digests[source.name] or source.name, source)
    keys = {source.name: staging.key(digest) for digest, source in first_of.items() if digests[source.name]}
    waiting = {name: key for name, key in keys.items() if staging.findings(key) is None}
    failed: dict[str, Result] = {}
    seconds = cut_s = 0.0
    if waiting:
        prepare(cutting)
        staging.make()
        paths = {source.name: str(source.path.absolute()) for source in sources}
        done = len(keys) - len(waiting)
        progress(done, len(keys), "cutting")
        tasks = {name: (paths[name], cutting) for name in waiting}
        with contextlib.closing(executor.results(function, tasks)) as results:
            for result in results:
                if result.unable:
                    raise DiffPoseTalkError(result.unable)
                seconds += result.seconds
                if result.data is None:
                    failed[result.name] = result
                else:
                    staging.add(waiting[result.name], result.data)
                    cut_s += sum(finding.seconds for finding in (staging.findings(waiting[result.name]) or ())[:1])
                done += 1
                progress(done, len(keys), "cutting")
    outcomes = [_outcome(source, digests, first_of, keys, failed, staging) for source in sources]
    made = assembled(outcomes, staging, output, cutting, options.val, options.test, progress)
    failures = tuple(f"{each.source.name}: {each.findings[0].why}" for each in outcomes if each.source.name in failed)
    if options.work is None and not failures:
        shutil.rmtree(work, ignore_errors=True)
    return Built(
        output=output,
        videos=len(sources),
        used=sum(each.findings[0].status == "used" for each in outcomes),
        clips=made.clips,
        hours=made.seconds / 3600,
        speakers=sum(len(names) for names in made.members.values()),
        splits=made.splits,
        rejected=_rejected(outcomes),
        resumed=len(keys) - len(waiting),
        work_seconds=seconds,
        video_seconds=cut_s,
        wall_seconds=time.monotonic() - started,
        notes=split_notes(made.splits, options.val, options.test),
        failures=failures,
    )


def _digests(sources: Sequence[Source], progress: Progress) -> dict[str, str | None]:
    """Return a digest of each video's content; None if the video cannot be read."""
    digests: dict[str, str | None] = {}
    for source in over(sources, progress, "reading"):
        try:
            digests[source.name] = digest_of(source.path)
        except InputError:
            digests[source.name] = None
    return digests


def _outcome(
    source: Source,
    digests: dict[str, str | None],
    first_of: dict[str, Source],
    keys: dict[str, str],
    failed: dict[str, Result],
    staging: Staging,
) -> Outcome:
    """Return the result for a video."""
    digest = digests[source.name]
    if digest is None:
        return Outcome(source, (rejected("video", "damaged", "cannot be read from the disk"),))
    if first_of[digest] != source:
        return Outcome(source, (rejected("video", "duplicate", f"the same file as {first_of[digest].name}"),))
    if source.name in failed:
        if failed[source.name].died:
            return Outcome(
                source,
                (rejected("video", "worker died", "two workers died, or hung and were ended, while reading it"),),
            )
        why = f"an error of ours, please report it: {failed[source.name].error[:300]}"
        return Outcome(source, (rejected("video", "defect", why),))
    key = keys[source.name]
    findings = staging.findings(key)
    if findings is None:
        raise InputError(f"{staging.path(key)}: was removed or damaged during the build; run the same command again")
    return Outcome(source, findings, key)


def _rejected(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float]]:
    """Count the rejections by reason, the longest first; a rejected take is counted by its stretches."""
    counts: dict[str, dict[str, float]] = {}
    for each in outcomes:
        video, *rest = each.findings
        named = {finding.reason for finding in rest if finding.kind != "take"}
        parts = [f for f in rest if f.status == "rejected" and (f.kind == "stretch" or f.reason not in named)]
        if video.status == "rejected":
            row = counts.setdefault(video.reason, {"videos": 0, "stretches": 0, "seconds": 0.0})
            row["videos"] += 1
            row["seconds"] += video.seconds if not parts else 0.0
        for finding in parts:
            row = counts.setdefault(finding.reason, {"videos": 0, "stretches": 0, "seconds": 0.0})
            row["stretches"] += 1
            row["seconds"] += finding.seconds
    return dict(sorted(counts.items(), key=lambda item: (-item[1]["seconds"], item[0])))
