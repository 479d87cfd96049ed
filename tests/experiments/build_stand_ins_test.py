"""Data sets are built from stand-ins of a few sequences, and counted."""

import pytest

from data_pipelines.benchmarks import BENCHMARKS, Counts
from experiments import build_stand_ins

BOX = "5,6,7,8\n"
ANNOTATIONS = {
    "OTB100/Bird1.txt": BOX,
    "OTB100/Car4.txt": BOX * 3,
    "OTB100/Jogging-1.txt": BOX * 2,
    "OTB100/Jogging-2.txt": BOX * 2,
    "TC128/Ball_ce1.txt": BOX * 3,
    "TC128/Jogging2.txt": BOX,
    "UAV20L/bike1.txt": BOX + "NaN,NaN,NaN,NaN\n",
    "UAV20L/uav1.txt": BOX,
    "VOT2016/bag/groundtruth.txt": "1,1,9,1,9,9,1,9\n" * 2,
    "VOT2016/bag/occlusion.label": "0\n1\n",
    "VOT2016/wiper/groundtruth.txt": "1,1,9,1,9,9,1,9\n",
    "VOT2016/wiper/occlusion.label": "0\n",
    "LaSOT/airplane-1.txt": BOX * 3,
    "LaSOT_absent/airplane-1.txt": "0\n1\n1\n",
    "LaSOT/airplane-2.txt": BOX,
    "LaSOT_absent/airplane-2.txt": "0\n",
}
PUBLISHED = {
    "otb2015": Counts(3, 4, 8),
    "otb2013": Counts(2, 3, 7),
    "tc128": Counts(2, 2, 4),
    "uav20l": Counts(2, 2, 3),
    "vot2016": Counts(2, 2, 3),
    "lasot_protocol_1": Counts(2, 2, 4),
    "lasot_protocol_2": Counts(1, 1, 3),
}
ROWS = {
    "otb": ["otb/otb2015 | 3 | 4 | 8", "otb/otb2013 | 2 | 3 | 7"],
    "tc128": ["tc128 | 2 | 2 | 4"],
    "uav20l": ["uav20l | 2 | 2 | 3"],
    "vot2016": ["vot2016 | 2 | 2 | 3"],
    "lasot": ["lasot/protocol_1 | 2 | 2 | 4", "lasot/protocol_2 | 1 | 1 | 3"],
}


@pytest.fixture
def annotations(tmp_path, monkeypatch):
    """Returns a folder of annotations, beyond which the benchmarks have no targets in this test."""
    for name, text in ANNOTATIONS.items():
        path = tmp_path / "annotations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    given = " ".join(ANNOTATIONS)
    for key, published in PUBLISHED.items():
        names = tuple(name for name in BENCHMARKS[key].targets("") if f"/{name}." in given or f"/{name}/" in given)
        few = BENCHMARKS[key]._replace(targets=lambda data_dir, names=names: names, published=published)
        monkeypatch.setitem(BENCHMARKS, key, few)
    return tmp_path / "annotations"


@pytest.mark.parametrize("name", ROWS)
def test_a_benchmark_is_built_and_counted_and_its_frames_are_removed(name, annotations, tmp_path, run_binary, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        run_binary(build_stand_ins, annotations=annotations, out=tmp_path / "out", datasets=name)
    table = capsys.readouterr().out.splitlines()[-len(ROWS[name]) :]
    for line, row in zip(table, ROWS[name], strict=True):
        assert line.startswith(f"| {row} |")
        assert line.endswith("| yes |")
    assert not list((tmp_path / "out" / "stand_ins").iterdir())


def test_a_count_that_is_not_as_published_fails(annotations, tmp_path, run_binary, capsys, monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "tc128", BENCHMARKS["tc128"]._replace(published=Counts(2, 2, 5)))
    with pytest.raises(SystemExit, match="^1$"):
        run_binary(build_stand_ins, annotations=annotations, out=tmp_path, datasets="tc128", keep=True)
    assert capsys.readouterr().out.splitlines()[-1].endswith("| no: 2, 2, 5 |")
    assert (tmp_path / "stand_ins" / "tc128" / "TC128" / "Ball_ce1" / "img" / "0003.jpg").is_file()


def test_videos_are_made_or_given(tmp_path, run_binary, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        run_binary(build_stand_ins, out=tmp_path, datasets="ilsvrc_vid", keep=True)
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.rsplit("|", 3)[0] for line in lines] == [
        f"| ilsvrc_vid/{edition} | 4 | 4 | 30 " for edition in (2015, 2017)
    ]
    videos = (tmp_path / "stand_ins" / "ilsvrc_vid").rename(tmp_path / "videos")
    (videos / "ILSVRC").rename(tmp_path / "elsewhere")
    left = (
        tmp_path / "second" / "tfds" / "ilsvrc_vid" / "2015" / "incomplete.A1B2C3_1.0.0"
    )  # By a build that was killed.
    left.mkdir(parents=True)
    with pytest.raises(SystemExit, match="^0$"):
        run_binary(build_stand_ins, out=tmp_path / "second", datasets="ilsvrc_vid", vid_dir=videos)
    assert [path.name for path in left.parent.iterdir()] == ["1.0.0"]
    assert "ilsvrc_vid/2015 | 4 | 4 | 30" in capsys.readouterr().out.splitlines()[-1]
    assert (videos / "ILSVRC2015").is_dir()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"datasets": "otb"}, "--annotations is needed"),
        ({"datasets": "ilsvrc_vid", "vid_dir": "nowhere"}, "nowhere: holds none of ILSVRC2015, ILSVRC"),
        ({"datasets": "tc128", "annotations": "nowhere"}, "nowhere/TC128: no such folder"),
    ],
)
def test_what_is_missing_is_named(options, message, tmp_path, run_binary):
    with pytest.raises(SystemExit, match=message):
        run_binary(build_stand_ins, out=tmp_path, **options)
