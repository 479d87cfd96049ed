"""Tests of who may talk to the page."""

import pytest

from experiments.web import access


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("127.0.0.1:8765", ["127.0.0.1"]),
        ("localhost:9000", ["127.0.0.1"]),  # The other end of a tunnel.
        ("[::1]:8765", ["127.0.0.1"]),
        ("192.0.2.7:80", ["192.0.2.7"]),
        ("lab.example", ["lab.example"]),
        ("192.0.2.7:8765", ["0.0.0.0"]),
    ],
)
def test_hosts_that_are_ours(host, names):
    assert access.is_ours(host, names)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.0.2.7", "", "[", "localhost@evil.example"]
)
def test_hosts_that_are_not(host):
    assert not access.is_ours(host, ["127.0.0.1"])
    assert host == "192.0.2.7" or not access.is_ours(host, ["0.0.0.0"])


def test_tokens_are_long_and_differ():
    tokens = {access.new_token() for _ in range(20)}
    assert len(tokens) == 20 and min(map(len, tokens)) == 32
