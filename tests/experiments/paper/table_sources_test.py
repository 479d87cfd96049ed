"""Where figures come from: folders of results, what made them, and the VOT toolkit's summary."""

import contextlib
import json

import pytest

from data_pipelines.benchmarks import BENCHMARKS
from experiments.paper import table_sources
from experiments.scoring import scorer
from mlt_tf.errors import InputError

BOX = "11,11,20,20\n"
FAR = "111,111,20,20\n"
TARGETS = {"otb2015": ("Basketball", "Biker", "Deer"), "otb2013": ("Basketball", "Deer")}


@pytest.fixture
def truth(tmp_path, monkeypatch):
    """Returns the ground truth of an OTB of three targets, two of them OTB-2013's."""
    monkeypatch.setattr(scorer, "target_names", lambda dataset, data_dir: TARGETS[dataset])
    write(tmp_path / "truth", **dict.fromkeys(TARGETS["otb2015"], BOX * 4))
    return str(tmp_path / "truth")


def write(folder, **texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def write_run(root, dataset="otb2015", variant="mlt", **config):
    folder = root / dataset / variant
    folder.mkdir(parents=True)
    config = {"tracker": variant, "data": dataset, "weights_checksum": "c" * 64, "settings": {"tau": 0.5}} | config
    (folder / "config.json").write_text(json.dumps(config))
    made_by = {"command": "evaluate --out=x", "commit": "abc", "date": "2026-01-02"}
    (folder / "summary.json").write_text(json.dumps({"ope": {**made_by, "mean": {"auc": 0.99}}}))
    return folder


def test_scores_come_from_the_boxes(truth, tmp_path):
    folder = write(tmp_path / "a", Basketball=BOX * 4, Biker=BOX + FAR * 3, Deer=BOX * 4)
    found = table_sources.score("otb2015", truth, {"a": folder})["a"]
    assert found.auc == pytest.approx((1 + 0.25 + 1) / 3 * 20 / 21)
    assert (found.done, found.total, found.fps, found.timed, found.notes) == (3, 3, None, 0, ())


def test_a_smaller_data_set_is_scored_from_the_folder_of_a_larger(truth, tmp_path):
    folder = write(tmp_path / "a", Basketball=BOX * 4, Biker=BOX + FAR * 3)
    found = table_sources.score("otb2013", truth, {"a": folder})["a"]
    assert found.auc == pytest.approx(20 / 21) and (found.done, found.total) == (1, 2)
    alone = write(tmp_path / "b", Biker=BOX * 4)
    assert table_sources.score("otb2013", truth, {"b": alone}) == {}


def test_frames_a_second_are_of_the_median_frame_and_are_averaged_over_sequences(truth, tmp_path):
    folder = write(tmp_path / "a", Basketball=BOX * 4, Biker=BOX * 4, Deer=BOX * 4)
    write(folder, Basketball_times="9\n3\n.1\n.1\n", Deer_times="9\n3\n.05\n.05\n", Deer_scores="1\n" * 4)
    found = table_sources.score("otb2015", truth, {"a": folder})["a"]
    assert found.fps == pytest.approx(15) and (found.timed, found.done) == (2, 3)
    write(folder, Deer_times="soon\n")
    with pytest.raises(InputError, match="Deer_times.txt: not a time in seconds on each line"):
        table_sources.score("otb2015", truth, {"a": folder})


def test_a_folder_without_results_yet_has_no_score(truth, tmp_path):
    folder = write(tmp_path / "a", Deer_times="9\n.1\n.1\n.1\n")
    assert table_sources.score("otb2015", truth, {"a": folder}) == {}


def test_faulty_results(truth, tmp_path):
    folder = write(tmp_path / "a", Basketball=BOX * 3, Biker=BOX * 3, Deer=BOX * 4)
    with pytest.raises(InputError, match=r"Basketball.txt: 3 rows for 4 frames.* \(1 more beside it are faulty\)"):
        table_sources.score("otb2015", truth, {"a": folder})


def test_what_a_reader_should_know(truth, tmp_path):
    folder = write(tmp_path / "a", Basketball="10,10,20,20\n" * 4, Deer="10,10,20,20\n" * 4)
    (tmp_path / "truth" / "Deer.txt").unlink()
    found = table_sources.score("otb2015", truth, {"a": folder})["a"]
    assert (found.done, found.total) == (1, 3)
    assert found.notes[0].endswith("left out for want of ground truth: Deer")
    assert "files must count pixels from 1" in found.notes[1]


def test_a_source_and_what_made_it(tmp_path):
    folder = write_run(tmp_path)
    source = table_sources.find_source(tmp_path, "otb2015", "mlt")
    assert source.folder == folder
    assert source.origin == ("mlt on otb2015", "2026-01-02", "abc", "c" * 64, "evaluate --out=x")
    assert table_sources.find_source(tmp_path, "otb2013", "mlt") == source
    assert table_sources.find_source(tmp_path, "tc128", "mlt") is None
    assert table_sources.find_source(tmp_path, "otb2015", "mlt_mt") is None
    own = write_run(tmp_path, "otb2013")
    assert table_sources.find_source(tmp_path, "otb2013", "mlt").folder == own


def test_protocol_2_of_lasot_is_in_the_folder_of_protocol_1(tmp_path):
    folder = write_run(tmp_path, "lasot_protocol_1", data="lasot")
    assert table_sources.find_source(tmp_path, "lasot_protocol_2", "mlt").folder == folder


def test_what_was_not_recorded(tmp_path):
    (tmp_path / "otb2015" / "mlt").mkdir(parents=True)
    assert table_sources.find_source(tmp_path, "otb2015", "mlt").origin == ("mlt on otb2015", None, None, None, None)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tracker": "mlt_mt"}, "mlt/config.json: is of mlt_mt, not of mlt; rename the folder"),
        ({"data": "tc128"}, "mlt/config.json: is of tc128, not of otb2015; move the folder to tc128/"),
    ],
)
def test_results_of_something_else(tmp_path, config, message):
    write_run(tmp_path, **config)
    with pytest.raises(InputError, match=message):
        table_sources.find_source(tmp_path, "otb2015", "mlt")


@pytest.mark.parametrize(("text", "message"), [("{", "no JSON"), ("[1]", "expected a JSON dictionary")])
def test_damaged_json(tmp_path, text, message):
    (write_run(tmp_path) / "config.json").write_text(text)
    with pytest.raises(InputError, match=f"mlt/config.json: {message}"):
        table_sources.find_source(tmp_path, "otb2015", "mlt")


def test_the_folder_of_our_results(tmp_path):
    with pytest.raises(InputError, match="nothing in it; it must hold otb2015/"):
        table_sources.check_root(tmp_path)
    with pytest.raises(InputError, match="nowhere: no such folder; .*experiments.evaluate .* makes"):
        table_sources.check_root(tmp_path / "nowhere")
    for name in ("otb2015", "uav123", "vot2016", ".git"):
        (tmp_path / name).mkdir()
    table_sources.check_root(tmp_path)
    (tmp_path / "OTB-2015").mkdir()
    with pytest.raises(InputError, match="OTB-2015 in it is no data set; .* otb2013, otb2015, .* or vot2016"):
        table_sources.check_root(tmp_path)


def write_vot(folder, names=("bag", "ball1"), **changes):
    parts = {"baseline": {"accuracy": 0.52, "repetitions": [3, 15]}, "unsupervised": {"overlap": None}}
    summary = {"names": list(names), "toolkit": "0.9", "command": "vot", "date": "today", "trackers": {"mlt": parts}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary | changes))
    (folder / "results" / "mlt").mkdir(parents=True, exist_ok=True)
    (folder / "results" / "mlt" / "config.json").write_text('{"tracker": "mlt", "weights_checksum": "abc"}')
    return folder / "summary.json"


def test_figures_of_the_vot_toolkit(tmp_path):
    path = write_vot(tmp_path)
    figure, source = table_sources.vot_figure(path, "mlt", "baseline", "accuracy")
    assert figure[:3] == (0.52, 2, 60)
    what = "mlt on vot2016 baseline, vot-toolkit 0.9, repetitions 3 to 15"
    assert figure.origin == source.origin == (what, "today", None, "abc", "vot")
    assert table_sources.vot_figure(path, "mlt", "unsupervised", "overlap")[0].value is None
    assert table_sources.vot_figure(path, "mlt_mt", "baseline", "accuracy") is None


def test_figures_of_other_sequences_are_no_part_of_vot(tmp_path):
    path = write_vot(tmp_path, names=("bag", "mine"))
    with pytest.raises(InputError, match="summary.json: its figures are not of VOT-2016, which has no mine"):
        table_sources.vot_figure(path, "mlt", "baseline", "accuracy")


def test_all_of_vot_has_its_number_of_frames(tmp_path):
    names = BENCHMARKS["vot2016"].targets("")
    path = write_vot(tmp_path, names, frames=21_455)
    assert table_sources.vot_figure(path, "mlt", "baseline", "accuracy")[0][:3] == (0.52, 60, 60)
    write_vot(tmp_path, names, frames=21_356)
    with pytest.raises(InputError, match="21356 frames where VOT-2016 has 21455"):
        table_sources.vot_figure(path, "mlt", "baseline", "accuracy")


def test_what_is_no_summary_of_the_vot_toolkit(tmp_path):
    with pytest.raises(
        InputError, match="summary.json: no such file; give .* of `python -m experiments.vot_workspace --run`"
    ):
        table_sources.vot_figure(tmp_path / "summary.json", "mlt", "baseline", "accuracy")
    with pytest.raises(InputError, match="no summary of experiments.vot_workspace"):
        table_sources.vot_figure(write_vot(tmp_path, trackers=None), "mlt", "baseline", "accuracy")
    path = write_vot(tmp_path)
    (tmp_path / "results" / "mlt" / "config.json").write_text('{"tracker": "mlt_mt"}')
    with pytest.raises(InputError, match="config.json: is of mlt_mt, not of mlt"):
        table_sources.vot_figure(path, "mlt", "baseline", "accuracy")


def test_configurations_that_differ(tmp_path):
    write_run(tmp_path)
    write_run(tmp_path, "tc128", weights_checksum="d" * 64, settings={"tau": 0.6})
    write_run(tmp_path, "uav20l")
    found = [(name, table_sources.find_source(tmp_path, name, "mlt")) for name in ("otb2015", "tc128", "uav20l")]
    assert table_sources.differences(found) == [
        "different checkpoints: cccccccccccc (otb2015, uav20l); dddddddddddd (tc128)",
        "settings that differ between data sets: tau",
    ]
    assert table_sources.differences([found[0], found[2]]) == []


@pytest.mark.parametrize("wrong", [7, True, "x", [], [1], {"ope": 3}, {"a": {}}], ids=str)
def test_records_of_wrong_types_are_told_or_of_no_matter(tmp_path, wrong):
    folder = write_run(tmp_path)
    for name in ("config.json", "summary.json"):
        whole = (folder / name).read_text()
        record = json.loads(whole)
        changed = [{**record, key: wrong} for key in record]
        changed += [{**record, "ope": {**record["ope"], key: wrong}} for key in record.get("ope", {})]
        for text in map(json.dumps, [wrong, *changed]):
            (folder / name).write_text(text)
            with contextlib.suppress(InputError):
                found = table_sources.find_source(tmp_path, "otb2015", "mlt")
                assert all(isinstance(part, str | None) for part in found.origin), text
                table_sources.differences([("otb2015", found)])
        (folder / name).write_text(whole)
