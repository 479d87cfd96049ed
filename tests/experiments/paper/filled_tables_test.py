"""The paper's tables filled from small folders of results."""

import json

import pytest

from experiments.paper import filled_tables
from experiments.paper.table_layout import agreement, here_text
from experiments.scoring import scorer
from mlt_tf.errors import InputError

BOX = "11,11,20,20\n"
TARGETS = {"otb2015": ("Basketball", "Biker", "Deer"), "otb2013": ("Basketball", "Deer")}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Returns a folder with `truth`, `raw` results of complete trackers and `ours`, MLT without Deer."""
    monkeypatch.setattr(scorer, "target_names", lambda dataset, data_dir: TARGETS.get(dataset, ("airplane-1",)))
    write(tmp_path / "truth", TARGETS["otb2015"])
    for name in ("SiamFC-3s", "CFNet-conv2", "CFNet-conv5", "Staple"):
        write(tmp_path / "raw" / name, TARGETS["otb2015"])
    write_run(tmp_path / "ours" / "otb2015" / "mlt", "otb2015", ("Basketball", "Biker"))
    return tmp_path


def write(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.txt").write_text(BOX * 3)


def write_run(folder, data, names, checksum="c" * 64):
    write(folder, names)
    for name in names:
        (folder / f"{name}_times.txt").write_text("5\n.1\n.1\n")
    config = {"tracker": folder.name, "data": data, "weights_checksum": checksum, "settings": {}}
    (folder / "config.json").write_text(json.dumps(config))


def make(folder, number="1", **options):
    return filled_tables.make_table(number, str(folder / "truth"), **options)


def texts(table, **place):
    return {
        (row, column): f"{here_text(cell)} {agreement(cell)}".strip()
        for (row, column), cell in table.cells.items()
        if here_text(cell) not in ("-", "not run")
    }


def test_table_1(folder):
    table = make(folder, ours=str(folder / "ours"), raw=[f"otb2015={folder / 'raw'}"])
    assert texts(table) == {
        ("OTB-2015", "MLT"): ".952 partial (2 of 3)",
        ("OTB-2015", "SiamFC"): ".952 ≠",
        ("OTB-2015", "CFNet"): ".952 ≠",
        ("OTB-2013", "MLT"): ".952 partial (1 of 2)",
        ("OTB-2013", "SiamFC"): ".952 ≠",
        ("OTB-2013", "CFNet"): ".952 ≠",
        ("FPS", "MLT"): "10.0 partial (2 of 3)",
    }
    assert table.cells["OTB-2015", "CFNet"].here.origin == "CFNet-conv5"
    assert table.cells["OTB-2013", "CFNet"].here.origin == "CFNet-conv2"
    assert here_text(table.cells["LaSOT I", "MLT"]) == "not run"
    assert here_text(table.cells["LaSOT I", "SiamFC"]) == "-"
    assert table.cells["OTB-2015", "MLT"].paper == 0.611
    assert (
        "raw results scored here: OTB-2015: SiamFC (SiamFC-3s), CFNet (CFNet-conv5); "
        "OTB-2013: SiamFC (SiamFC-3s), CFNet (CFNet-conv2)"
    ) in table.notes
    assert any(note.endswith("raw: of no column: Staple") for note in table.notes)


def test_agreement_with_the_paper_is_counted(folder, monkeypatch):
    figures = {**filled_tables.TABLES["1"].figures, ("OTB-2015", "SiamFC"): 0.952}
    tables = {**filled_tables.TABLES, "1": filled_tables.TABLES["1"]._replace(figures=figures)}
    monkeypatch.setattr(filled_tables, "TABLES", tables)
    table = make(folder, raw=[f"otb2013={folder / 'raw'}", f"otb2015={folder / 'raw'}"])
    (note,) = [note for note in table.notes if note.startswith("raw results against")]
    assert "= to three decimals in 1 of 4 cells; ≠ CFNet on OTB-2015 (.952, paper .586), SiamFC on OTB-2013" in note


def test_nothing_given():
    table = filled_tables.make_table("2", None)
    assert {here_text(cell) for cell in table.cells.values()} == {"not run"} and len(table.cells) == 24
    assert filled_tables.make_table("1", None).cells["OTB-2015", "SINT"].paper == 0.58


def test_table_2_with_figures_of_vot(folder):
    write_run(folder / "ours" / "otb2015" / "mlt_mt", "otb2015", TARGETS["otb2015"])
    parts = {"baseline": {"accuracy": 0.52}}
    path = folder / "ours" / "vot2016" / "summary.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"names": ["bag"], "trackers": {"mlt": parts, "SiamFC-3s": parts}}))
    expected = {
        ("MLT", "OTB-2015"): ".952 partial (2 of 3)",
        ("MLT", "OTB-2013"): ".952 partial (1 of 2)",
        ("MLT-mt", "OTB-2015"): ".952",
        ("MLT-mt", "OTB-2013"): ".952",
        ("MLT", "VOT-2016 baseline"): ".520 partial (1 of 60)",
    }
    table = make(folder, "2", ours=str(folder / "ours"))
    assert texts(table) == expected
    assert (
        "MLT: different checkpoints: cccccccccccc (OTB-2015, OTB-2013); not recorded (VOT-2016 baseline)" in table.notes
    )
    path.rename(folder / "elsewhere.json")
    assert texts(make(folder, "2", ours=str(folder / "ours"), vot=str(folder / "elsewhere.json"))) == expected
    assert ("MLT", "VOT-2016 baseline") not in texts(make(folder, "2", ours=str(folder / "ours")))


def test_mixed_checkpoints_are_said(folder):
    write_run(folder / "ours" / "otb2013" / "mlt", "otb2013", TARGETS["otb2013"], checksum="d" * 64)
    table = make(folder, ours=str(folder / "ours"))
    assert "MLT: different checkpoints: cccccccccccc (OTB-2015); dddddddddddd (OTB-2013)" in table.notes
    assert texts(table)["OTB-2013", "MLT"] == ".952"


def test_one_configuration_needs_no_note(folder):
    write_run(folder / "ours" / "lasot" / "mlt", "lasot", (), checksum="d" * 64)  # Begun, nothing done yet.
    table = make(folder, ours=str(folder / "ours"))
    assert not [note for note in table.notes if "checkpoints" in note]
    assert here_text(table.cells["LaSOT I", "MLT"]) == "not run"


@pytest.mark.parametrize(
    ("number", "options", "message"),
    [
        ("2", {"raw": ["otb2015=raw"]}, "--raw: not in the paper's table 2"),
        ("1", {"vot": "summary.json"}, "--vot: not in the paper's table 1"),
        ("1", {"raw": ["raw"]}, "--raw=raw: expected DATASET=FOLDER, DATASET one of otb2013, otb2015, lasot"),
        ("1", {"raw": ["tc128=raw"]}, "--raw=tc128=raw: expected DATASET=FOLDER"),
        ("1", {"raw": ["otb2015=/none"]}, "--raw=otb2015=/none: no such folder"),
        ("1", {"raw": ["otb2015=/", "otb2015=/"]}, "--raw=otb2015=/: otb2015 is given twice"),
        ("1", {"ours": "/none"}, "--ours=/none: no such folder"),
    ],
)
def test_bad_input(folder, number, options, message):
    with pytest.raises(InputError) as caught:
        make(folder, number, **options)
    assert str(caught.value).startswith(message)
