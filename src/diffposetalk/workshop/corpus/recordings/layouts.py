"""How corpora of recordings lie on disk, one reader for each: `read_recordings` finds the one that fits a folder.

A reader takes the folder and returns its recordings, or None where the folder is laid out otherwise. To add a layout,
write a reader and add it to `READERS`, before the readers of looser layouts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

from diffposetalk.errors import InputError
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.speech.transcript import labels
from diffposetalk.workshop.corpus.recordings.recording import Recording

SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".m4a", ".mkv", ".mpg", ".mp4", ".avi", ".mov", ".webm")
"""Files that may hold speech."""
TABLE = "speech.tsv"
"""A table of our own: ``file, seconds, speaker, language, transcript, source, licence``, tab separated."""
COMMON_VOICE_TABLES = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv")
"""Common Voice's tables; the first that is there is read, or the other three together."""


def read_recordings(folder: Path, language: str = "") -> list[Recording]:
    """List the recordings of a folder.

    Args:
        folder: a corpus in one of the layouts of `READERS`.
        language: of recordings whose corpus does not tell it.

    Returns:
        In order of their names; files that are listed but absent are left out.

    Raises:
        InputError: the folder is absent, laid out in no known way, or holds no recording.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of recordings")
    for read in READERS:
        recordings = read(folder)
        if recordings is None:
            continue
        recordings = [each for each in recordings if each.path.is_file()]
        if not recordings:
            break
        return sorted((_with_language(each, language) for each in recordings), key=lambda each: each.name)
    raise InputError(
        f"{folder}: no recordings; give {TABLE}, Common Voice, LibriSpeech, a Kaldi folder (wav.scp, utt2spk), GRID "
        "(align/*.align), or sound files with .txt, .lab or .TextGrid beside them"
    )


def _with_language(recording: Recording, language: str) -> Recording:
    from dataclasses import replace

    return recording if recording.language or not language else replace(recording, language=language)


def read_table(folder: Path) -> list[Recording] | None:
    """Read our own table of recordings."""
    path = folder / TABLE
    if not path.is_file():
        return None
    return [
        Recording(
            name=row["file"].rsplit(".", 1)[0],
            path=folder / row["file"],
            speaker=row["speaker"],
            language=row.get("language", ""),
            text=row.get("transcript") or None,
            source=row.get("source") or folder.name,
            licence=row.get("licence", ""),
        )
        for row in _rows(path, ("file", "speaker"))
    ]


def read_common_voice(folder: Path) -> list[Recording] | None:
    """Read Common Voice: ``clips/`` and tables with ``client_id, path, sentence, locale`` (CC0)."""
    tables = [folder / name for name in COMMON_VOICE_TABLES if (folder / name).is_file()]
    if not tables or not (folder / "clips").is_dir():
        return None
    rows = {
        row["path"]: row
        for table in (tables[:1] if tables[0].name == COMMON_VOICE_TABLES[0] else tables)
        for row in _rows(table, ("client_id", "path", "sentence"))
    }
    recordings = []
    for name, row in rows.items():
        path = folder / "clips" / name
        if not path.suffix:
            path = path.with_suffix(".mp3")
        language = row.get("locale") or folder.name
        speaker = f"cv_{language}_{row['client_id'][:16]}"
        recordings.append(
            Recording(path.stem, path, speaker, language, row["sentence"] or None, "Common Voice", "CC0-1.0")
        )
    return recordings


def read_librispeech(folder: Path) -> list[Recording] | None:
    """Read LibriSpeech: ``SPEAKER/CHAPTER/*.trans.txt`` with the sound beside (CC BY 4.0)."""
    transcripts = sorted(folder.rglob("*.trans.txt"))
    if not transcripts:
        return None
    recordings = []
    for transcript in transcripts:
        for line in _text(transcript).splitlines():
            name, _, text = line.partition(" ")
            if name:
                path = transcript.with_name(f"{name}.flac")
                speaker = f"ls_{name.partition('-')[0]}"
                recordings.append(Recording(name, path, speaker, "en", text.lower(), "LibriSpeech", "CC-BY-4.0"))
    return recordings


def read_kaldi(folder: Path) -> list[Recording] | None:
    """Read Kaldi folders, as speechocean762 has them: ``wav.scp``, ``utt2spk`` and ``text``, here or one level below."""
    parts = sorted({path.parent for pattern in ("wav.scp", "*/wav.scp") for path in folder.glob(pattern)})
    if not parts:
        return None
    ocean = "speechocean" in folder.name.lower()
    source, licence, language = ("speechocean762", "CC-BY-4.0", "en") if ocean else (folder.name, "", "")
    recordings = []
    for part in parts:
        speakers, texts = _pairs(part / "utt2spk"), _pairs(part / "text")
        for name, where in _pairs(part / "wav.scp").items():
            if "|" in where:
                raise InputError(f"{part / 'wav.scp'}: {name} is made by a command; give a file instead")
            path = next((base / where for base in (folder, part) if (base / where).is_file()), folder / where)
            text = texts.get(name)
            speaker = f"{source}_{speakers.get(name, name)}"
            recordings.append(Recording(name, path, speaker, language, text.lower() if text else None, source, licence))
    return recordings


def read_grid(folder: Path) -> list[Recording] | None:
    """Read GRID: ``align/SENTENCE.align`` and ``SENTENCE`` with sound, one folder for each talker (CC BY 4.0)."""
    places = [path for path in (folder, *sorted(folder.iterdir())) if (path / "align").is_dir()]
    places = [path for path in places if next((path / "align").glob("*.align"), None)]
    if not places:
        return None
    recordings = []
    for place in places:
        sounds = {path.stem: path for path in _sounds(place, nested=False)}
        speaker = place.name if place.name.startswith("grid") else f"grid_{place.name}"
        for alignment in sorted((place / "align").glob("*.align")):
            if alignment.stem in sounds:
                words = labels.read_grid(alignment)
                text = " ".join(word.text for word in words)
                recordings.append(
                    Recording(
                        f"{speaker}/{alignment.stem}", sounds[alignment.stem], speaker, "en", text, "GRID",
                        "CC-BY-4.0", words,
                    )
                )  # fmt: skip
    return recordings


def read_labelled(folder: Path) -> list[Recording] | None:
    """Read sound files with ``.TextGrid``, ``.lab`` or ``.txt`` of the same name; a subfolder is a speaker."""
    recordings = []
    for path in _sounds(folder, nested=True):
        inside = path.relative_to(folder)
        speaker = f"{folder.name}_{inside.parts[0]}" if len(inside.parts) > 1 else folder.name
        name = inside.with_suffix("").as_posix()
        text, words, phones = _labels_beside(path)
        if text or words or phones:
            recordings.append(Recording(name, path, speaker, "", text, folder.name, "", words, phones))
    return recordings or None


READERS: tuple[Callable[[Path], list[Recording] | None], ...] = (
    read_table,
    read_common_voice,
    read_librispeech,
    read_kaldi,
    read_grid,
    read_labelled,
)
"""Readers in the order in which they are tried."""


def _labels_beside(path: Path) -> tuple[str | None, tuple[labels.Label, ...], tuple[labels.Label, ...]]:
    """Return text, words and phones from the label files beside a recording."""
    for suffix in (".TextGrid", ".textgrid"):
        if path.with_suffix(suffix).is_file():
            tiers = labels.read_textgrid(path.with_suffix(suffix))
            words = next((tier for name, tier in tiers.items() if "word" in name), ())
            phones = next((tier for name, tier in tiers.items() if "phone" in name or "segment" in name), ())
            return " ".join(word.text for word in words) or None, words, phones
    if path.with_suffix(".lab").is_file():
        content = labels.read_lab(path.with_suffix(".lab"))
        if isinstance(content, str):
            return content or None, (), ()
        return None, (), content
    if path.with_suffix(".txt").is_file():
        return _text(path.with_suffix(".txt")).strip() or None, (), ()
    return None, (), ()


def _sounds(folder: Path, nested: bool) -> Iterator[Path]:
    paths = folder.rglob("*") if nested else folder.iterdir()
    yield from sorted(path for path in paths if path.suffix.lower() in SOUNDS)


def _rows(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a tab-separated table without quoting.

    Raises:
        InputError: a column is missing, or a line has too few.
    """
    with parsing(path, "table of recordings"):
        reader = csv.DictReader(io.StringIO(_text(path)), delimiter="\t", quoting=csv.QUOTE_NONE)
        if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
            raise InputError(f"{path}: the table lacks the column {', '.join(missing)}")
        rows = list(reader)
    for number, row in enumerate(rows, 2):
        if any(row[name] is None for name in needed):
            raise InputError(f"{path}: line {number} has too few columns")
    return rows


def _pairs(path: Path) -> dict[str, str]:
    """Read ``key value`` lines; empty where the file is absent."""
    if not path.is_file():
        return {}
    rows = (line.split(None, 1) for line in _text(path).splitlines() if line.strip())
    return {row[0]: row[1].strip() if len(row) > 1 else "" for row in rows}


def _text(path: Path) -> str:
    with parsing(path, "text file"):
        return read_bytes(path, "text file").decode("utf-8-sig")
