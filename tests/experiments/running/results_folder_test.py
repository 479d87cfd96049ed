import json
import os
import socket

import numpy as np
import pytest

from data_pipelines.datasets.sequences import Sequence
from experiments.running import results_folder
from experiments.running.starting import Run
from mlt_tf.errors import InputError
from tests.endings import GONE

BOXES = np.array([[10, 10, 20, 20], [11.25, 10, 20, 20.5], [12, 10, 20, 20]], np.float32)
TRACK = results_folder.Track(BOXES, np.array([5.0, 0.1, 0.3]), np.array([np.nan, 0.75, 0.5]))


def sequence(name="David", origin=1):
    return Sequence(name, ("1.jpg", "2.jpg", "3.jpg"), BOXES, origin)


def run(name="David", target=None, frames=3):
    part = Sequence(name, ("1.jpg", "2.jpg", "3.jpg")[:frames], BOXES[:frames], 1)
    return Run(name, target or name, part, BOXES[0])


def test_boxes_are_written_in_the_benchmarks_convention_with_three_decimals(tmp_path):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    assert (tmp_path / "David.txt").read_text().splitlines()[1] == "12.250,11.000,20.000,20.500"
    assert (tmp_path / "David_times.txt").read_text().split() == ["5.000000", "0.100000", "0.300000"]
    assert (tmp_path / "David_scores.txt").read_text().split() == ["nan", "0.750000", "0.500000"]
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("origin", [0, 1])
def test_what_is_written_reads_back(tmp_path, origin):
    results_folder.write_track(tmp_path, "David", TRACK, origin)
    np.testing.assert_array_equal(results_folder.read_boxes(tmp_path / "David.txt", origin), BOXES)


def test_a_sequence_is_done_when_every_frame_has_its_box(tmp_path):
    assert not results_folder.is_done(tmp_path, "David", sequence())
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    assert results_folder.is_done(tmp_path, "David", sequence())
    (tmp_path / "David.txt").write_text("1,2,3,4\n")
    assert not results_folder.is_done(tmp_path, "David", sequence())


def test_a_folder_keeps_to_one_configuration(tmp_path):
    config = {"tracker": "mlt", "weights_checksum": "a", "settings": {"tau": 0.5, "scales": (1, 2)}}
    results_folder.claim_folder(tmp_path / "mlt", config)
    results_folder.claim_folder(tmp_path / "mlt", config)
    later = {**config, "settings": {**config["settings"], "trunk": "full", "near": False, "update_beside": False}}
    results_folder.claim_folder(tmp_path / "mlt", later)  # As it was before there were these settings.
    with pytest.raises(InputError, match=r"another configuration \(trunk differ\)"):
        results_folder.claim_folder(tmp_path / "mlt", {**later, "settings": {**later["settings"], "trunk": "light"}})
    other = {**config, "weights_checksum": "b", "settings": {"tau": 0.6, "scales": (1, 2)}}
    with pytest.raises(InputError, match=r"another configuration \(tau, weights_checksum differ\)"):
        results_folder.claim_folder(tmp_path / "mlt", other)
    assert json.loads((tmp_path / "mlt" / "config.json").read_text())["weights_checksum"] == "a"


def test_litter_of_killed_runs_is_swept_and_that_of_others_at_work_is_not(tmp_path):
    results_folder.claim_folder(tmp_path, {"tracker": "mlt"})
    (tmp_path / "tre").mkdir()
    for folder in (tmp_path, tmp_path / "tre"):
        for name, times in ((".12.part.old.txt", (0, 0)), (".12.part.new.txt", None)):
            (folder / name).write_text("1,2")
            os.utime(folder / name, times)
        (folder / "David.claim").write_text(f'{{"host": "{socket.gethostname()}", "pid": {GONE}}}')
    results_folder.claim_folder(tmp_path, {"tracker": "mlt"})
    assert not list(tmp_path.rglob("*.claim"))
    assert sorted(path.name for path in tmp_path.rglob(".*")) == [".12.part.new.txt"] * 2


def test_a_report_scores_what_is_there_and_names_what_is_not(tmp_path):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    (tmp_path / "Short.txt").write_text("1,2,3,4\n")
    chosen = [run(name) for name in ("David", "Missing", "Short", "Crashed")]
    report = results_folder.report_on(tmp_path, chosen, failed={"Crashed": "out of memory"})
    assert list(report.scores.sequences) == ["David"]
    assert report.scores.auc == pytest.approx(20 / 21)
    assert report.fps == {"David": pytest.approx(1 / 0.3)}  # The first two frames do not count.
    assert report.failed["Crashed"] == "out of memory"
    assert "no such file" in report.failed["Missing"]
    assert "1 result boxes for 3" in report.failed["Short"]


def test_the_table_says_that_a_mean_is_partial(tmp_path):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    whole = results_folder.format_table("mlt", results_folder.report_on(tmp_path, [run()], {}))
    partial = results_folder.format_table("mlt", results_folder.report_on(tmp_path, [run(), run("Deer")], {}))
    assert "mean of 1 " in whole and "PARTIAL" not in whole
    assert "mean of 1, PARTIAL: 1 of 2" in partial and "Deer" in partial
    assert "0.9524" in whole


def test_a_report_without_any_result_has_no_mean(tmp_path):
    report = results_folder.report_on(tmp_path, [run()], {})
    assert report.scores is None
    assert "mean" not in results_folder.format_table("mlt", report)
    results_folder.write_summary(tmp_path, "ope", {}, report)
    assert json.loads((tmp_path / "summary.json").read_text())["ope"]["mean"] is None


def test_a_benchmark_of_which_little_is_at_hand_is_partial(tmp_path):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    report = results_folder.report_on(tmp_path, [run()], {}, total=100)
    assert report.partial and "mean of 1, PARTIAL: 1 of 100" in results_folder.format_table("mlt", report)


def test_work_of_others_is_no_failure_but_the_mean_is_partial(tmp_path):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    report = results_folder.report_on(tmp_path, [run(), run("Deer")], {}, busy=("Deer",))
    assert report.failed == {} and report.partial
    assert "1 not done yet, other processes are at them: Deer" in results_folder.format_table("mlt", report)


def test_runs_of_one_target_are_joined_frame_by_frame(tmp_path):
    results_folder.write_track(tmp_path, "David.tre01", TRACK, origin=1)  # Perfect on 3 frames.
    missed = results_folder.Track(np.float32([BOXES[0], [90, 90, 5, 5]]), np.ones(2), np.ones(2))
    results_folder.write_track(tmp_path, "David.tre02", missed, origin=1)
    chosen = [run("David.tre01", "David"), run("David.tre02", "David", frames=2)]
    report = results_folder.report_on(tmp_path, chosen, {})
    assert list(report.scores.sequences) == ["David"] and not report.partial
    assert report.scores.auc == pytest.approx(4 / 5 * 20 / 21)  # The first box counts as ground truth: 4 of 5 frames.
    assert report.scores.precision == pytest.approx(4 / 5)
    lacking = results_folder.report_on(tmp_path, [*chosen, run("David.tre03", "David")], {})
    assert lacking.scores is None and list(lacking.failed) == ["David.tre03"]


def test_the_summary_keeps_other_protocols_and_says_what_made_it(tmp_path):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    report = results_folder.report_on(tmp_path, [run()], {})
    for name in ("ope", "tre"):
        results_folder.write_summary(tmp_path, name, {"layout": "otb"}, report)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(summary) == {"ope", "tre"}
    entry = summary["ope"]
    assert entry["layout"] == "otb" and entry["partial"] is False
    assert {"command", "commit", "date"} <= set(entry)
    assert entry["mean"]["auc"] == entry["sequences"]["David"]["auc"] == pytest.approx(20 / 21)
    assert entry["mean"]["fps"] == pytest.approx(1 / 0.3)
    assert len(entry["mean"]["success_curve"]) == 21


def test_the_summary_names_what_made_the_boxes_and_not_what_scored_them(tmp_path, monkeypatch):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    for commit, date in (("aaa", "2026-01-02"), ("bbb", "2026-01-01")):
        made_by = {"date": date, "commit": commit, "command": f"of {commit}"}
        monkeypatch.setattr(results_folder.provenance, "made_by", lambda made_by=made_by: made_by)
        results_folder.note_run(tmp_path, "David")
    monkeypatch.setattr(
        results_folder.provenance, "made_by", lambda: {"date": "2027", "commit": "ccc", "command": "scores"}
    )
    results_folder.write_summary(tmp_path, "ope", {}, results_folder.report_on(tmp_path, [run()], {}))
    entry = json.loads((tmp_path / "summary.json").read_text())["ope"]
    assert (entry["date"], entry["commit"], entry["command"]) == ("2026-01-02", "aaa, bbb", "of aaa")


@pytest.mark.parametrize(
    "line", ['{"run": "A", "da', "7", "{}", '{"date": 5, "commit": "c", "command": "x"}', "[" * 9999, "\0"]
)
def test_damaged_line_of_notes_is_left_out_with_a_word(tmp_path, caplog, line):
    (tmp_path / "made_by.jsonl").write_text(line)  # Without its end, too.
    results_folder.note_run(tmp_path, "David")
    results_folder.note_run(tmp_path, "Deer")
    results_folder.write_summary(tmp_path, "ope", {}, results_folder.report_on(tmp_path, [run()], {}))
    assert "made_by.jsonl: line 1 is damaged and left out" in caplog.text
    assert len((tmp_path / "made_by.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("name", ["David_times", "David_scores"])
def test_sequence_with_the_name_of_anothers_companion_is_refused(name):
    results_folder.check_names(["David", "Deer_times", name.title()])
    with pytest.raises(InputError, match=f"sequence {name} .*belongs to David: rename it, or leave"):
        results_folder.check_names([name, "David"])


def test_damaged_times_cost_the_speed_alone(tmp_path, caplog):
    results_folder.write_track(tmp_path, "David", TRACK, origin=1)
    (tmp_path / "David_times.txt").write_text("1,2,3,4\n")
    report = results_folder.report_on(tmp_path, [run()], {})
    assert report.fps == {} and list(report.scores.sequences) == ["David"] and "no speed" in caplog.text


@pytest.mark.parametrize("place", ["David.txt", "tre/David.tre01.txt", "baseline/bag/bag_001.txt"])
def test_results_without_their_configuration_are_not_adopted(tmp_path, place):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_text("1,2,3,4\n")
    with pytest.raises(InputError, match=r"has results .*but no config.json that says what made them; restore it"):
        results_folder.claim_folder(tmp_path, {"tracker": "mlt"})
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize("content", ["", "7", "[]", "{", '{"settings": 5}', "[" * 9999, "\udcff"])
def test_damaged_records_are_told_in_one_line(tmp_path, content):
    for name in ("config.json", "summary.json"):
        (tmp_path / name).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match="config.json cannot be read: .*; restore it, or choose another --out"):
        results_folder.claim_folder(tmp_path, {"tracker": "mlt"})
    (tmp_path / "summary.json").write_text(content.replace("settings", "ope") if "settings" in content else "[]")
    with pytest.raises(InputError, match="summary.json cannot be read: .*; delete it, and evaluate again"):
        results_folder.write_summary(tmp_path, "tre", {}, results_folder.report_on(tmp_path, [run()], {}))
