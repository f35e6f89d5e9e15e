import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flows.orchestration.auth_string import (
    FILE_NAME,
    is_on_this_machine,
    make_auth_string,
    may_receive,
    read_auth_string,
)
from tasks.errors import InputError


def test_it_is_made_once_for_its_owner_alone(tmp_path):
    home = tmp_path / "prefect"
    assert read_auth_string(tmp_path) is None
    made = make_auth_string(home)
    assert make_auth_string(home) == read_auth_string(home) == made
    assert made.startswith("gargalo:")
    assert len(made) > 40
    assert stat.S_IMODE((home / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == [FILE_NAME]
    assert make_auth_string(tmp_path / "another") != made


def test_all_who_make_it_at_once_get_the_same(tmp_path):
    with ThreadPoolExecutor(16) as threads:
        made = set(threads.map(make_auth_string, [tmp_path] * 64))
    assert made == {read_auth_string(tmp_path)}
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_file_that_others_can_use_is_refused(tmp_path):
    make_auth_string(tmp_path)
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(InputError, match=r"mode 0640, expected 0600\): delete it"):
        make_auth_string(tmp_path)


def test_a_link_is_not_followed(tmp_path):
    made = make_auth_string(tmp_path / "other")
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "other" / FILE_NAME)
    with pytest.raises(InputError, match="expected a regular file, not a link"):
        make_auth_string(tmp_path)
    assert read_auth_string(tmp_path / "other") == made


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, make):
    make(tmp_path / FILE_NAME, 0o700)
    with pytest.raises(InputError, match="is no regular file"):
        read_auth_string(tmp_path)


@pytest.mark.parametrize("content", [b"", b"gargalo:short", b"\xff" * 2000])
def test_other_content_is_refused(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    (tmp_path / FILE_NAME).chmod(0o600)
    with pytest.raises(InputError, match="expected gargalo:TOKEN, received"):
        make_auth_string(tmp_path)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:4200/api", True),
        ("http://127.8.8.8/api", True),
        ("http://localhost:4200/api", True),
        ("http://[::1]:4200/api", True),
        ("http://192.168.0.7:4200/api", False),
        ("https://api.prefect.cloud/api", False),
        ("http://localhost.example.com/api", False),
        ("http://127.0.0.1@example.com/api", False),
        ("", False),
    ],
)
def test_only_the_loopback_interface_is_this_machine(url, expected):
    assert is_on_this_machine(url) == expected


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux shows who listens")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_server_of_another_user_never_gets_it(monkeypatch, family):
    with socket.socket(family) as listening:
        listening.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        listening.listen()
        url = f"http://localhost:{listening.getsockname()[1]}/api"
        monkeypatch.setattr("os.geteuid", lambda: 4321)  # it is we who are another
        assert may_receive(url) == (os.getuid() == 0)  # root reads every file
        monkeypatch.setattr("flows.orchestration.auth_string._TRUSTED", set())
        assert not may_receive(url)
        monkeypatch.setattr("os.geteuid", os.getuid)
        assert may_receive(url)
    assert may_receive(url)  # nobody listens
