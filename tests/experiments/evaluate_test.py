import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from absl import flags

from experiments import evaluate
from experiments.running import results_folder, trackers
from mlt_tf.errors import InputError
from tests.endings import PATIENCE
from tests.trackers import FakeTracker

ROOT = pathlib.Path(__file__).resolve().parents[2]
FRAMES = 4


class Astray(FakeTracker):
    """Answers in the first frame what must not end up in the results: the ground truth does."""

    def add(self, frame, boxes_xywh):
        return [state._replace(box_xywh=state.box_xywh + 100) for state in super().add(frame, boxes_xywh)]


@pytest.fixture
def data_dir(tmp_path):
    """Two sequences in OTB's layout: A of grey level 50, B of 100, with a target that moves by a pixel a frame."""
    for name, grey in (("A", 50), ("B", 100)):
        folder = tmp_path / "otb" / name / "img"
        folder.mkdir(parents=True)
        for i in range(FRAMES):
            frame = np.full((60, 80, 3), grey, np.uint8)
            frame[20:40, 20 + i : 40 + i] = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            cv2.imwrite(str(folder / f"{i + 1:04d}.png"), frame)
        lines = "".join(f"{21 + i},21,20,20\n" for i in range(FRAMES))
        (tmp_path / "otb" / name / "groundtruth_rect.txt").write_text(lines)
    return tmp_path / "otb"


@pytest.fixture
def use(monkeypatch):
    """Puts a fake in place of every tracker."""

    def use(tracker):
        monkeypatch.setattr(trackers, "make_tracker", lambda spec: tracker)
        return tracker

    return use


def parse(*arguments):
    values = flags.FlagValues()
    evaluate.define_flags(values)
    values(["evaluate", *arguments])
    return values


def run(*arguments):
    return evaluate.run(evaluate.read_request(parse(*arguments)))


def test_a_perfect_tracker_scores_fully_and_its_results_start_with_the_ground_truth(data_dir, tmp_path, use, capsys):
    use(Astray())
    reports = run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")
    assert reports["mlt"].scores.auc == pytest.approx(20 / 21)
    assert reports["mlt"].failed == {}
    rows = (tmp_path / "out/mlt/A.txt").read_text().splitlines()
    assert rows[:2] == ["21.000,21.000,20.000,20.000", "22.000,21.000,20.000,20.000"]
    assert len((tmp_path / "out/mlt/A_times.txt").read_text().split()) == FRAMES
    assert (tmp_path / "out/mlt/A_scores.txt").read_text().split() == ["1.000000", *["0.250000"] * (FRAMES - 1)]
    config = json.loads((tmp_path / "out/mlt/config.json").read_text())
    assert config == {"tracker": "mlt", "data": "otb", "weights_checksum": "abc", "settings": {"tau": 0.5}}
    assert json.loads((tmp_path / "out/mlt/summary.json").read_text())["ope"]["mean"]["precision"] == 1.0
    assert "mean of 2" in capsys.readouterr().out


def test_sequences_already_done_are_skipped(data_dir, tmp_path, use):
    tracker = use(FakeTracker())
    arguments = (f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")
    run(*arguments, "--sequences=B")
    assert tracker.starts == 1
    run(*arguments)
    assert tracker.starts == 2  # A alone.
    run(*arguments)
    assert tracker.starts == 2


def test_results_of_another_configuration_are_not_mixed_in(data_dir, tmp_path, use):
    arguments = (f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")
    use(FakeTracker())
    run(*arguments)
    use(FakeTracker(tau=0.6))
    with pytest.raises(InputError, match="tau differ"):
        run(*arguments)


def test_a_sequence_that_fails_is_reported_and_the_others_go_on(data_dir, tmp_path, use, capsys):
    use(FakeTracker(fails_on=50))
    reports = run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")
    assert reports["mlt"].failed == {"A": "ValueError: no target left"}
    assert list(reports["mlt"].scores.sequences) == ["B"]
    assert not (tmp_path / "out/mlt/A.txt").exists()
    assert "PARTIAL" in capsys.readouterr().out
    assert json.loads((tmp_path / "out/mlt/summary.json").read_text())["ope"]["partial"] is True


@pytest.mark.parametrize("truth", ["21,21,20,20\n", "x\n" * FRAMES])
def test_a_sequence_that_is_not_complete_is_reported_and_the_others_go_on(data_dir, tmp_path, use, capsys, truth):
    use(FakeTracker())
    (data_dir / "A" / "groundtruth_rect.txt").write_text(truth)
    report = run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")["mlt"]
    assert list(report.failed) == ["A"] and list(report.scores.sequences) == ["B"] and report.total == 2
    printed = capsys.readouterr().out
    assert "A                                FAILED: " in printed and "PARTIAL: 1 of 2" in printed
    (data_dir / "B" / "groundtruth_rect.txt").write_text(truth)
    with pytest.raises(InputError, match="A/groundtruth_rect.txt"):
        run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")


def test_absent_frames_of_ones_own_do_not_count_and_corners_taken_for_a_size_are_noted(data_dir, tmp_path, use, capsys):
    use(FakeTracker())
    rows = "21,21,20,20\nnan,nan,nan,nan\n23,21,20,20\n24,21,20,20\n"
    (data_dir / "A" / "groundtruth_rect.txt").write_text(rows)
    (data_dir / "B" / "groundtruth_rect.txt").write_text("41,31,80,70\n" * FRAMES)
    score = run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")["mlt"].scores.sequences["A"]
    assert (score.auc, score.mean_overlap) == (pytest.approx(20 / 21), pytest.approx(1))
    assert "evaluate: note: B: the first box 40,30,80,70, read as x, y, w, h, reaches far" in capsys.readouterr().err


def test_raw_results_of_another_tracker_are_scored_on_the_sequences_at_hand(data_dir, tmp_path):
    folder = tmp_path / "SiamFC"
    folder.mkdir()
    for name in ("A", "B", "Unknown"):
        (folder / f"{name}.txt").write_text("21 21 20 20\n22 21 20 20\n23 21 20 20\n24 21 20 10\n")
    reports = run(f"--data_dir={data_dir}", f"--score_results={folder}")
    scores = reports["SiamFC"].scores
    assert set(scores.sequences) == {"A", "B"}
    assert scores.mean_overlap == pytest.approx(3.5 / 4)
    assert scores.auc == pytest.approx((3 * 20 + 10) / 4 / 21)


def test_settings_and_weights_reach_the_variants_but_not_the_baselines():
    values = parse("--variant=mlt,mlt_mt", "--baseline=opencv_mil", "--checkpoint=w.npz", "--config=tau=0.6")
    assert evaluate.tracker_specs(values) == [
        trackers.TrackerSpec("mlt", "w.npz", (("tau", 0.6),)),
        trackers.TrackerSpec("mlt_mt", "w.npz", (("tau", 0.6),)),
        trackers.TrackerSpec("opencv_mil"),
    ]


def test_an_exported_trunk_reaches_the_variants():
    specs = evaluate.tracker_specs(parse("--variant=mlt", "--tflite=lite8/trunk.tflite"))
    assert specs == [trackers.TrackerSpec("mlt", tflite="lite8/trunk.tflite")]


def test_without_a_variant_the_weights_say_which_it_is(monkeypatch):
    monkeypatch.setattr(trackers, "variant_in", lambda path: {"w.npz": "mlt_mt"}[path])
    for arguments, names in (
        (["--weights=w.npz"], ["mlt_mt"]),
        (["--weights=w.npz", "--variant=mlt_mt_ft"], ["mlt_mt_ft"]),
        (["--weights=w.npz", "--baseline=opencv_mil"], ["opencv_mil"]),
    ):
        assert [spec.name for spec in evaluate.tracker_specs(parse(*arguments))] == names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--variant=mlt"], "--out unless"),
        (["--out=x"], "--variant, --baseline or --score_results"),
        (["--out=x", "--baseline=mil"], "names start with opencv_"),
        (["--out=x", "--variant=mlt,mlt"], "each tracker once"),
        (["--out=x", "--variant=unadapted"], "variant 'unadapted': give one of mlt, mlt_mt, mlt_mt_ft"),
        (["--out=x", "--baseline=opencv_nosuch"], "it has mil"),
        (["--out=x", "--variant=mlt", "--baseline=opencv_mil", "--batch=2"], "--batch: OpenCV's trackers follow one"),
        (["--score_results=x", "--out=y", "--checkpoint=w", "--jobs=2"], "^--weights, --out, --jobs: not with"),
    ],
)
def test_bad_flags_are_refused(data_dir, arguments, message):
    with pytest.raises(InputError, match=message):
        run(f"--data_dir={data_dir}", *arguments)


def test_every_flag_of_a_run_is_known_as_one():
    of_choice = {"data_dir", "dataset", "layout", "sequences", "score_results", "checkpoint"}
    assert set(parse()) - of_choice == set(evaluate._OF_RUNS)


@pytest.mark.parametrize("content", ["", '{"host": "elsewhere", "pid": 1}'])
def test_a_sequence_that_others_are_at_is_exit_code_1(data_dir, tmp_path, use, monkeypatch, content, capsys):
    use(FakeTracker())
    monkeypatch.setattr(trackers.make_tracker, "cache_clear", lambda: None, raising=False)
    (tmp_path / "out/mlt").mkdir(parents=True)
    (tmp_path / "out/mlt/A.claim").write_text(content)
    given = parse(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")
    monkeypatch.setattr(evaluate.flags, "FLAGS", given)
    assert evaluate.show() == 1
    assert "1 not done yet, other processes are at them: A" in capsys.readouterr().out
    (tmp_path / "out/mlt/A.claim").unlink()
    assert evaluate.show() == 0


def binary(*arguments):
    command = [sys.executable, "-m", "experiments.evaluate", "--baseline=opencv_mil", "--threads=1", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)


def test_the_binary_shares_sequences_among_processes_and_exits_with_1_if_one_failed(data_dir, tmp_path):
    (data_dir / "A" / "img" / "0003.png").write_text("not an image")
    done = binary(f"--data_dir={data_dir}", f"--out={tmp_path}/out", "--jobs=2")
    assert done.returncode == 1, done.stderr
    assert "mean of 1, PARTIAL: 1 of 2" in done.stdout
    assert "0003.png' does not decode" in done.stdout
    assert (tmp_path / "out/opencv_mil/B.txt").is_file()


def test_the_binary_ends_bad_input_in_one_line(tmp_path):
    done = binary(f"--data_dir={tmp_path}/missing", f"--out={tmp_path}/out")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        f"evaluate: error: {tmp_path}/missing: no such folder; give the one that holds the sequences"
    ]


@pytest.fixture
def otb2015(data_dir):
    """The two sequences under names of OTB-2015's."""
    (data_dir / "A").rename(data_dir / "Deer")
    (data_dir / "B").rename(data_dir / "Couple")
    return data_dir


def test_a_benchmark_at_hand_in_part_is_labelled_partial(otb2015, tmp_path, use, capsys):
    use(FakeTracker())
    reports = run("--dataset=otb2015", f"--data_dir={otb2015}", "--variant=mlt", f"--out={tmp_path}/out")
    assert set(reports["mlt"].scores.sequences) == {"Couple", "Deer"} and reports["mlt"].total == 100
    assert "mean of 2, PARTIAL: 2 of 100" in capsys.readouterr().out
    entry = json.loads((tmp_path / "out/mlt/summary.json").read_text())["ope"]
    assert entry["partial"] is True and entry["total"] == 100 and entry["data"] == "otb2015"


def test_folders_of_two_benchmarks_are_not_mixed(otb2015, tmp_path, use):
    use(FakeTracker())
    run("--dataset=otb2015", f"--data_dir={otb2015}", "--variant=mlt", f"--out={tmp_path}/out")
    with pytest.raises(InputError, match=r"another configuration \(data differ\); choose another --out"):
        run("--dataset=otb2013", f"--data_dir={otb2015}", "--variant=mlt", f"--out={tmp_path}/out")


def test_robustness_runs_have_folders_and_scores_of_their_own(data_dir, tmp_path, use, capsys):
    for name in "AB":  # TRE needs 20 frames.
        first = data_dir / name / "img" / "0001.png"
        for i in range(FRAMES, 24):
            (data_dir / name / "img" / f"{i + 1:04d}.png").write_bytes(first.read_bytes())
        lines = "".join(f"{21 + i},21,20,20\n" for i in range(24))
        (data_dir / name / "groundtruth_rect.txt").write_text(lines)
    tracker = use(FakeTracker())
    protocols = ["--protocols=ope", "--protocols=tre", "--protocols=sre"]
    reports = run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out", *protocols)
    assert list(reports) == ["mlt", "mlt TRE", "mlt SRE"] and tracker.starts == 2 * (1 + 20 + 12)
    assert reports["mlt TRE"].scores.auc == pytest.approx(20 / 21)  # It starts on the ground truth and follows it.
    assert reports["mlt SRE"].scores.auc < 0.9 and set(reports["mlt SRE"].scores.sequences) == {"A", "B"}
    assert len(list((tmp_path / "out/mlt/tre").glob("A.tre??.txt"))) == 20
    assert len(list((tmp_path / "out/mlt/sre").glob("A.sre_*[a-zA-Z0-9].txt"))) >= 12
    assert set(json.loads((tmp_path / "out/mlt/summary.json").read_text())) == {"ope", "tre", "sre"}
    assert "mlt TRE" in capsys.readouterr().out


def test_a_batch_goes_on_with_results_of_one_at_a_time(data_dir, tmp_path, use, monkeypatch):
    works, track_all = [], evaluate.runner.track_all
    monkeypatch.setattr(evaluate.runner, "track_all", lambda work, *rest: works.append(work) or track_all(work, *rest))
    use(FakeTracker())
    for flag in ("--batch=1", "--batch=2"):
        run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out", flag)
    assert [(work.batch, work.spec.batch) for work in works] == [(1, 1), (2, 2)]


def test_result_files_are_what_other_toolkits_read(data_dir, tmp_path, use):
    use(FakeTracker())
    run(f"--data_dir={data_dir}", "--variant=mlt", f"--out={tmp_path}/out")
    path = tmp_path / "out/mlt/A.txt"
    pysot = [list(map(float, line.strip().split(","))) for line in path.read_text().splitlines()]
    pytracking = np.loadtxt(path, delimiter=",", dtype=np.float64)
    np.testing.assert_array_equal(pysot, pytracking)
    np.testing.assert_array_equal(pytracking, [[21 + i, 21, 20, 20] for i in range(FRAMES)])


def test_results_of_others_are_scored_by_the_benchmarks_rules(otb2015, tmp_path, monkeypatch):
    folder = tmp_path / "SiamFC"
    folder.mkdir()
    for name in ("Couple", "Deer"):
        (folder / f"{name}.txt").write_text("21,21,20,20\n" * FRAMES)
    used, report_on = [], results_folder.report_on
    monkeypatch.setattr(results_folder, "report_on", lambda *a, **k: used.append(k["protocol"]) or report_on(*a, **k))
    of_otb = evaluate.choice.scorer.DATASETS["otb2015"]._replace(protocol=evaluate.choice.protocols.GOT10K)
    monkeypatch.setitem(evaluate.choice.scorer.DATASETS, "otb2015", of_otb)
    run("--dataset=otb2015", f"--data_dir={otb2015}", f"--score_results={folder}")
    assert used == [evaluate.choice.protocols.GOT10K]
