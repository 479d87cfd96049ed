"""The results that the page hands out: files of the output folder, and formats of other tools, made when asked for."""

import importlib.util
import io
import pathlib
import tempfile
import zipfile

from experiments.app import exports, track_folder
from experiments.app.record import Record
from mlt_tf.errors import InputError

_ABOUT = {
    ".json": "all of the run",
    ".mp4": "the clip with boxes drawn",
    ".png": "scores over time",
    ".txt": "x,y,w,h of every frame",
}
_FORMATS = {f"{name}.zip": name for name in exports.FORMATS}


def found(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Returns the files of results by name; the incomplete ones where there are such, for they are the latest."""
    if not folder.is_dir():
        return {}
    paths = track_folder.results(folder, track_folder.INCOMPLETE) or track_folder.results(folder)
    return {path.name: path for path in paths}


def listed(folder: pathlib.Path, record: Record) -> list[list[str]]:
    """Describes what there is to download as [name, what it is]; other formats are made of complete runs alone."""
    files = [[name, f"{_ABOUT[path.suffix]}, {_size(path.stat().st_size)}"] for name, path in found(folder).items()]
    if not record.complete or importlib.util.find_spec("datumaro") is None:
        return files
    return files + [[name, f"boxes as {kind.upper()} has them"] for name, kind in _FORMATS.items()]


def exported(record: Record, name: str) -> bytes:
    """Makes a ZIP file of a format.

    Raises:
      InputError: There is no such format, or what makes it is missing, or the run is not complete.
    """
    if name not in _FORMATS or not record.complete:
        raise InputError(f"there is no result '{name}'")
    exports.check([_FORMATS[name]], name)
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        (folder,) = exports.write(record, pathlib.Path(scratch), [_FORMATS[name]])
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return packed.getvalue()


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{max(1, round(count / 1e3))} kB"
