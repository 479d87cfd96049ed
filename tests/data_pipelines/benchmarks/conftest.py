"""What the tests of several readers share."""

import pytest


@pytest.fixture
def lay_out(tmp_path):
    """Gives a function that writes files {path: text} and frames {folder: numbers}, and returns their root.

    Frames are empty: readers look at names alone.
    """

    def write(files, frames=None, digits=4):
        for path, text in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        for folder, numbers in (frames or {}).items():
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            for number in numbers:
                (tmp_path / folder / f"{number:0{digits}d}.jpg").touch()
        return str(tmp_path)

    return write
