"""Tests of the records beside results: the command, the commit and the time."""

import subprocess

import pytest

from experiments.shared import provenance


def test_made_by_has_date_commit_and_command():
    made = provenance.made_by()
    assert list(made) == ["date", "commit", "command"] and made["date"].endswith("+00:00")
    assert made["commit"] == provenance.commit() and made["command"] == provenance.command()


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        ("--data_dir=/home/someone/sets/ILSVRC2015", "--data_dir=ILSVRC2015"),
        ("/home/someone/clip.mp4", "clip.mp4"),
        ("--steps=500", "--steps=500"),
        ("--views=24,6", "--views=24,6"),
        ("--results_dir=/home/someone/ours,../theirs,near", "--results_dir=ours,theirs,near"),
        ("--data=two words", "'--data=two words'"),
        ("--data_dir=sets/ILSVRC2015", "--data_dir=sets/ILSVRC2015"),
        ("--data_dir=/home/someone/sets/ILSVRC2015/", "--data_dir=ILSVRC2015"),
        ("--data_dir=/home/some one/ILSVRC2015", "--data_dir=ILSVRC2015"),
    ],
)
def test_command_strips_directories(monkeypatch, argument, shown):
    monkeypatch.setattr("sys.argv", ["/home/someone/experiments/train_meta.py", argument, "--seed=1"])
    assert provenance.command() == f"python -m experiments.train_meta {shown} --seed=1"


def test_commit_is_that_of_the_checkout_with_a_mark_where_files_differ(tmp_path, monkeypatch):
    def git(*arguments):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        output = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return output.stdout.strip()

    source = tmp_path / "provenance.py"
    source.write_text("first")
    monkeypatch.setattr(provenance, "__file__", str(source))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.commit() == "unknown"
    git("init", "--quiet")
    git("add", "provenance.py")
    git("commit", "--quiet", "--message=first")
    head = git("rev-parse", "HEAD")[:12]
    (tmp_path / "untracked").write_text("does not count")
    assert provenance.commit() == head
    source.write_text("second")
    assert provenance.commit() == head + "+"
