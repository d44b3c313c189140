"""Check, convert, show and make training data sets.

A data set is a TFHP LMDB folder (data.mdb, train.txt, val.txt, test.txt, stats_train.npz) or a folder of shards (*.tar).

  diffposetalk dataset check HDTF_TFHP
  diffposetalk dataset convert HDTF_TFHP shards
  diffposetalk dataset stats HDTF_TFHP
  diffposetalk dataset show shards -o shards.html
  diffposetalk dataset from-corpus corpus -o tfhp
  diffposetalk dataset build films shards
"""

from __future__ import annotations

import argparse
import tempfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.commands.dataset import build
from diffposetalk.cli.files import reads, writes
from diffposetalk.files.atomic import check_new_folder, check_output, write_atomically

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.data.check import Findings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, text: str) -> argparse.ArgumentParser:
        action: argparse.ArgumentParser = actions.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        return action

    check = add("check", "report the content of a data set and its errors; exit code 1 if there are errors")
    reads(check.add_argument("path", metavar="PATH", help="TFHP folder or folder of shards"))
    convert = add("convert", "convert a TFHP folder to a folder of shards, or back")
    reads(convert.add_argument("path", metavar="SOURCE", help="TFHP folder or folder of shards"))
    writes(convert.add_argument("target", metavar="TARGET", help="folder to make"))
    stats = add("stats", "measure mean, standard deviation and range of a data set's motion")
    reads(stats.add_argument("path", metavar="PATH", help="TFHP folder or folder of shards"))
    writes(stats.add_argument(
        "-o", "--output", metavar="FILE",
        help="statistics of FLAME coefficients (.npz) or of the channels of any head (.json) (default: stats_train.npz in PATH "
        "for FLAME, statistics.json for other heads)",
    ))  # fmt: skip
    stats.add_argument("--split", default="train", metavar="NAME", help="split to measure (default: train)")
    show = add("show", "write a page with plots, rejected clips with reasons, and example videos")
    reads(show.add_argument("path", metavar="PATH", help="TFHP folder or folder of shards"))
    writes(
        show.add_argument("-o", "--output", metavar="FILE", required=True, help="page to write (.html), self-contained")
    )
    show.add_argument(
        "--clips", type=values.whole(0, 1000), default=2, metavar="N", help="clips of each split to render (default: 2)"
    )
    reads(show.add_argument("--head", metavar="NAME|FILE", help="head to render (default: the head of the data set)"))
    corpus = add("from-corpus", "convert a corpus to a TFHP data set of FLAME coefficients")
    reads(corpus.add_argument("path", metavar="CORPUS", help="folder made by `diffposetalk corpus`"))
    writes(corpus.add_argument("-o", "--output", metavar="FOLDER", required=True, help="TFHP folder to make"))
    reads(
        corpus.add_argument(
            "--head",
            metavar="FILE",
            help="free head of FLAME's format (.npz), the head of the coefficients; made if it does not exist (default: "
            "flame-free.npz in FOLDER)",
        )
    )
    build_parser = actions.add_parser(
        "build",
        help="make a folder of shards from videos of people who talk",
        description=build.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    build.add_arguments(build_parser)
    for action in (convert, corpus):
        frames = values.whole(1, 100000)
        action.add_argument(
            "--seg-len", type=frames, default=100, metavar="N", help="frames per TFHP segment (default: 100)"
        )
    for action in (check, convert, stats, show, corpus, build_parser):
        values.add_general(action)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Run the subcommand; return the result for `--json`."""
    actions = {"check": _check, "convert": _convert, "stats": _stats, "show": _show, "from-corpus": _from_corpus}
    actions |= {"build": build.run}
    return actions[args.action](args, console)


def _check(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.data.check import check

    with console.progress("reading", "clips") as progress:
        findings = check(args.path, progress)
    _say(findings, console)
    result = {"path": findings.path, "layout": findings.layout, **findings.facts}
    return result | {"problems": findings.problems, "notes": findings.notes, "exit_code": 1 if findings.problems else 0}


def _say(findings: Findings, console: Console) -> None:
    from diffposetalk.data.check import MAX_LISTED

    facts = findings.facts
    lasts = f"{facts['hours']:.2f} h" if facts["hours"] >= 0.1 else f"{3600 * facts['hours']:.0f} s"
    rows = [
        ("layout", findings.layout + (f", segments of {facts['seg_len']} frames" if "seg_len" in facts else "")),
        ("clips", f"{facts['clips']} of {facts['speakers']} speakers, {lasts}"),
        ("length", f"{facts['shortest_seconds']:.1f} to {facts['longest_seconds']:.1f} s"),
    ]
    if facts.get("heads"):
        rows.append(("head", ", ".join(f"{head} ({n})" for head, n in facts["heads"].items())))
    rows += [
        (name, f"{split['videos']} clips of {split['speakers']} speakers") for name, split in facts["splits"].items()
    ]
    for name, group in facts["ranges"].items():
        rows.append((name, f"{group['width']} numbers from {group['min']:.3g} to {group['max']:.3g}"))
    if facts["speech_level_db"]:
        level = facts["speech_level_db"]
        rows.append(("speech", f"level {level['median']:.0f} dB (median), {level['lowest']:.0f} dB (lowest)"))
    if "statistics" in facts:
        off = max(group["mean_off"] for group in facts["statistics"].values())
        factor = max(group["std_factor"] for group in facts["statistics"].values())
        rows.append(
            (
                "statistics",
                f"means differ by up to {off:.2g} standard deviations, standard deviations by a factor {factor:.2g}",
            )
        )
    console.say(findings.path)
    console.table([(f"  {name}", text) for name, text in rows])
    for title, lines in (("notes", findings.notes), ("problems", findings.problems)):
        if lines:
            console.say(f"{title}:")
        for line in lines[:MAX_LISTED]:
            console.say(f"  {line}")
        if len(lines) > MAX_LISTED:
            console.say(f"  and {len(lines) - MAX_LISTED} more")
    if not findings.problems:
        console.say("no problems")


def _convert(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.data.convert import layout_of, shards_to_tfhp, tfhp_to_shards

    source = layout_of(args.path)
    check_new_folder(args.target)
    with console.progress("converting", "clips") as progress:
        if source == "tfhp":
            n_clips = tfhp_to_shards(args.path, args.target, progress)
        else:
            n_clips = shards_to_tfhp(args.path, args.target, args.seg_len, progress)
    target = "shards" if source == "tfhp" else "tfhp"
    console.say(f"{args.target}: {n_clips} clips as {target}")
    return {"output": args.target, "layout": target, "clips": n_clips}


def _stats(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.data.channel_statistics import ChannelStatistics
    from diffposetalk.data.coefficients import Coefficients
    from diffposetalk.data.convert import clips_of, layout_of
    from diffposetalk.data.flame_statistics import Statistics
    from diffposetalk.data.tfhp import TfhpReader
    from diffposetalk.progress import with_total

    layout = layout_of(args.path)
    folder = Path(args.path) if Path(args.path).is_dir() else Path(args.path).parent
    clips, n_clips = clips_of(args.path, args.split)
    head = "flame"
    if layout == "shards":
        first = next(clips)
        head, clips = first.motion.head, chain([first], clips)
    output = Path(args.output or folder / ("stats_train.npz" if head == "flame" else "statistics.json"))
    check_output(output, (".npz", ".json"))
    with console.progress("measuring", "clips") as progress:
        counted = with_total(progress, n_clips)
        if output.suffix.lower() == ".json":
            channels = ChannelStatistics.of(clips, args.split, counted, str(args.path))
            channels.save(output)
        else:
            parts = (Coefficients.of_motion(clip.motion, clip.identities) for clip in clips)
            if layout == "tfhp":  # the sound is not needed
                reader = TfhpReader(args.path)
                parts = (reader.coefficients(video) for video in reader.split(args.split))
            Statistics.of(parts, counted, str(args.path)).save(output)
    console.say(f"{output}: {n_clips} clips of the split {args.split}, head {head}")
    return {"output": output, "split": args.split, "clips": n_clips, "head": head}


def _show(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.data.report.page import write_page

    with console.progress("reading", "clips") as progress:
        page = write_page(args.path, args.output, args.clips, args.head, progress)
    for note in page.notes:
        console.say(note)
    console.say(f"{page.path}: {page.clips} clips, {page.films} of them filmed")
    about = {"clips": page.clips, "hours": page.hours, "films": page.films, "notes": page.notes}
    return {"output": page.path, **about}


def _from_corpus(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.head.flame.free import FreeFlame, make_free_flame
    from diffposetalk.workshop.corpus.tfhp import tfhp_of_corpus

    output = check_new_folder(args.output)
    head = Path(args.head) if args.head else output / "flame-free.npz"
    with tempfile.TemporaryDirectory() as folder, console.progress("writing", "clips") as progress:
        if args.head and head.exists():
            free = FreeFlame.load(head)
        else:
            free = make_free_flame(check_output(head, (".npz",)) if args.head else Path(folder) / head.name)
        written = tfhp_of_corpus(args.path, output, free.coefficients, args.seg_len, progress)
        if not args.head:
            write_atomically(head, free.path.read_bytes())
    splits = ", ".join(f"{name} {n}" for name, n in written.splits.items())
    console.say(f"{output}: {written.videos} videos ({splits}), {written.frames / 25 / 3600:.2f} h")
    console.say(f"{head}: the head it is for")
    counts = {"videos": written.videos, "frames": written.frames, "splits": written.splits}
    return {"output": output, "head": head, **counts}
