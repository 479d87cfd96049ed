import configparser
import pathlib

import pytest

from mlt_tf.errors import InputError

vot_toolkit = pytest.importorskip("experiments.vot.vot_toolkit", reason="the vot-toolkit is not installed")


def test_a_workspace_is_claimed_once(tmp_path):
    vot_toolkit.claim(tmp_path)
    vot_toolkit.claim(tmp_path)
    assert "vot2016/rgb" in (tmp_path / "config.yaml").read_text()
    with pytest.raises(InputError, match=r"of the stack vot2016/rgb, not of stack.yaml; choose another --out"):
        vot_toolkit.claim(tmp_path, repetitions=2)
    (tmp_path / "config.yaml").write_text("stack: vot2018/shortterm\n")
    with pytest.raises(InputError, match=r"of the stack vot2018/shortterm, not of vot2016/rgb; choose another --out"):
        vot_toolkit.claim(tmp_path)


def test_repetitions_replace_those_of_the_baseline(tmp_path):
    vot_toolkit.claim(tmp_path, repetitions=2)
    vot_toolkit.claim(tmp_path, repetitions=2)
    with pytest.raises(InputError, match="of other --repetitions than 3"):
        vot_toolkit.claim(tmp_path, repetitions=3)
    own = vot_toolkit.yaml.safe_load((tmp_path / "stack.yaml").read_text())
    stack = vot_toolkit.yaml.safe_load(pathlib.Path(vot_toolkit.resolve_stack("vot2016/rgb")).read_text())
    assert own["experiments"]["baseline"].pop("repetitions") == 2
    assert stack["experiments"]["baseline"].pop("repetitions") == 15
    assert own["experiments"] == stack["experiments"]


def test_trackers_are_registered_beside_others(tmp_path):
    (tmp_path / "trackers.ini").write_text("[theirs]\ncommand = run theirs\n")
    vot_toolkit.register(tmp_path, "ours-1", "old")
    vot_toolkit.register(tmp_path, "ours-1", "python 100%/a.py --x='b c'", {"PYTHONPATH": "/some where"})
    read = configparser.ConfigParser()  # As the toolkit reads it: with interpolation.
    read.read(tmp_path / "trackers.ini")
    assert read["theirs"]["command"] == "run theirs"
    assert read["ours-1"]["command"] == "python 100%/a.py --x='b c'"
    registry = pytest.importorskip("vot.tracker").Registry([str(tmp_path)])
    assert registry["ours-1"]._envvars == {"PYTHONPATH": "/some where"}
    with pytest.raises(InputError, match="is no name for a tracker"):
        vot_toolkit.register(tmp_path, "SiamFC 3s", "")


class Runtime:
    """The toolkit's TraX runtime: takes a list of targets and gives one."""

    tracker, multiobject = None, False

    def initialize(self, frame, new):
        assert isinstance(new, list)
        return [f"{target} in {frame}" for target in new], 0.5

    def update(self, frame, new):
        assert new == []
        return [f"target in {frame}"], 0.25


def test_one_target_goes_in_and_out_of_the_list():
    runtime = vot_toolkit.OneTargetRuntime(Runtime())
    assert runtime.initialize(1, "cup") == ("cup in 1", 0.5)
    assert runtime.update(2) == ("target in 2", 0.25)
    assert runtime.initialize(1, ["cup"]) == (["cup in 1"], 0.5)
    assert runtime.update(2, []) == (["target in 2"], 0.25)


def write_results(folder, experiment, name):
    (folder / experiment / name).mkdir(parents=True)
    (folder / experiment / name / f"{name}_001.txt").write_text("1\n")
    (folder / experiment / name / f"{name}_001_time.value").write_text("0.1\n")


def test_results_are_copied_by_experiment_and_sequence(tmp_path):
    for name in "ab":
        write_results(tmp_path / "theirs", "baseline", name)
    vot_toolkit.import_results(tmp_path / "theirs", tmp_path / "out", ["a"])
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*"))
    assert found == ["baseline/a/a_001.txt", "baseline/a/a_001_time.value"]
    with pytest.raises(InputError, match=r"baseline/c: no c_001.txt"):
        vot_toolkit.import_results(tmp_path / "theirs", tmp_path / "out", ["a", "c"])
    with pytest.raises(InputError, match="expected baseline/ or unsupervised/"):
        vot_toolkit.import_results(tmp_path / "theirs" / "baseline", tmp_path / "out", ["a"])
