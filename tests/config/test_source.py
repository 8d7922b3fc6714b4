"""Reading YAML: text as written, places, and files that are no good."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.config import nodes, source
from callrouter.config.nodes import UnreadableError, parse
from callrouter.config.problems import MOST_ERRORS, Place, Problems
from callrouter.config.source import read


def read_text(folder: Path, text: str | bytes, name: str = "a.yaml") -> tuple[source.Document, list[str]]:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(data)
    problems = Problems()
    document = read(folder, problems)
    return document, [str(problem) for problem in problems.errors]


def test_scalars_stay_the_text_that_was_written(tmp_path: Path) -> None:
    document, problems = read_text(tmp_path, "a: [17:00, 0552, no, 1_000, 1.0, ~, '', \"~\", null, 2026-12-25, =, <<]")
    assert problems == []
    assert document.sections["a"] == [
        "17:00", "0552", "no", "1_000", "1.0", None, "", "~", None, "2026-12-25", "=", "<<",
    ]  # fmt: skip


def test_every_value_and_key_knows_its_place(tmp_path: Path) -> None:
    document, _ = read_text(tmp_path, "a:\n  b: [x,\n    y]\n")
    assert document.place(("a", "b", 1)) == Place("a.yaml", 3, 5)
    assert document.place(("a", "b"), key=True) == Place("a.yaml", 2, 3)
    assert document.place(("a", "b", 7, "deeper")) == Place("a.yaml", 2, 6)
    assert document.place(("nowhere",)) == Place("callrouter.yaml")


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_section_with_nothing_in_it_leaves_it_to_other_files(tmp_path: Path, order: str) -> None:
    (tmp_path / f"{order[0]}.yaml").write_text("trunks:\n")
    (tmp_path / f"{order[1]}.yaml").write_text("trunks:\n  city: {channels: 4}\n")
    (tmp_path / "c.yaml").write_text("trunks: {hall: {channels: 2}}\n")
    problems = Problems()
    document = read(tmp_path, problems)
    assert list(map(str, problems.errors)) == []
    assert document.sections["trunks"] == {"city": {"channels": "4"}, "hall": {"channels": "2"}}
    assert document.place(("trunks", "city"), key=True) == Place(f"{order[1]}.yaml", 2, 3)


def test_a_section_with_nothing_in_it_is_written_twice_in_one_file(tmp_path: Path) -> None:
    _, problems = read_text(tmp_path, "trunks:\ntrunks:\n  city: {channels: 4}\n")
    assert problems == ['a.yaml:2:1: "trunks" is written twice, first at a.yaml:1:1; keep one of them']


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    document, problems = read_text(tmp_path, b"\xef\xbb\xbfa: |\r\n  x\r\n  y\r\n")
    assert (document.sections, problems) == ({"a": "x\ny\n"}, [])


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    document, problems = read_text(tmp_path, "a: 1\nb: 창원".encode("cp949"))
    assert problems == ["a.yaml:2:1: is not UTF-8; save it as UTF-8 (not CP949/EUC-KR)"]
    assert document.incomplete


def test_a_huge_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").touch()
    os.truncate(tmp_path / "a.yaml", 64 * 1024**3)  # with a hole in it; nobody could read it to its end
    problems = Problems()
    assert read(tmp_path, problems).incomplete
    assert list(map(str, problems.errors)) == [
        "a.yaml:1:1: has more than 1048576 bytes; see that it is the right file; split it"
    ]


def test_files_that_are_too_much_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_ALL_BYTES", 10)
    (tmp_path / "a.yaml").write_text("a: 1234")
    _, problems = read_text(tmp_path, "b: 1234", name="b.yaml")
    assert problems == ["b.yaml:1:1: makes more than 10 bytes with the files before it; take out what is not needed"]


def test_a_control_character_is_named_with_its_line(tmp_path: Path) -> None:
    _, problems = read_text(tmp_path, "a: 1\nb: \x07")
    assert problems == ["a.yaml:2:1: is not YAML: control characters are not allowed; take it out"]


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(source, "read_bounded", refuse)
    (tmp_path / "a.yaml").touch()
    problems = Problems()
    read(tmp_path, problems)
    assert list(map(str, problems.errors)) == [
        "a.yaml:1:1: cannot be read: Permission denied; let the daemon's user read it"
    ]


@pytest.mark.parametrize(
    ("put", "why"),
    [
        (Path.mkdir, "it is no file"),
        (os.mkfifo, "it is no file"),
        (lambda path: path.symlink_to("nothing"), "No such file or directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is no file"),
    ],
    ids=["folder", "pipe", "link-to-nothing", "endless"],
)
def test_what_only_has_the_name_of_a_file_does_not_pass_for_one_that_nobody_wrote(
    tmp_path: Path, put: Callable[[Path], object], why: str
) -> None:
    (tmp_path / "a.yaml").write_text("a: 1")
    put(tmp_path / "switches.yaml")
    problems = Problems()
    document = read(tmp_path, problems)
    assert (document.incomplete, document.sections) == (True, {"a": "1"})
    assert list(map(str, problems.errors)) == [
        f"switches.yaml:1:1: cannot be read: {why}; put the file there, or take away what is in its place"
    ]


def test_what_editors_put_beside_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / ".#a.yaml").symlink_to("kim@host.4711")
    (tmp_path / "._a.yaml").write_bytes(b"\0\1")
    document, problems = read_text(tmp_path, "a: 1")
    assert (document.sections, problems) == ({"a": "1"}, [])


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a, *a]\n" for n in range(20_000)),
        "a:\n" + "  k: v\n" * 100_000,
        "".join(f"s{n % 2}: 1\n" for n in range(100_000)),
    ],
    ids=["aliases", "keys-twice", "sections-twice"],
)
def test_a_file_full_of_faults_is_given_up_soon(tmp_path: Path, text: str) -> None:
    began_s = time.process_time()
    document, problems = read_text(tmp_path, text)
    assert document.incomplete
    assert len(problems) == MOST_ERRORS + 1
    assert problems[-1].endswith("nothing was looked at behind it; mend these first; is it the right file?")
    assert time.process_time() - began_s < 5.0


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n...\n", "~\n"])
def test_an_empty_file_holds_nothing_and_is_no_fault(tmp_path: Path, text: str) -> None:
    document, problems = read_text(tmp_path, text)
    assert (document.sections, problems, document.incomplete) == ({}, [], False)


def test_deep_nesting_is_refused_and_crashes_nothing(tmp_path: Path) -> None:
    _, problems = read_text(tmp_path, "[" * 200_000)
    # Some versions of libyaml stop by themselves, further on in the line.
    (told,) = problems
    found = re.fullmatch(rf"a\.yaml:1:(\d+): is nested deeper than {nodes.MAX_DEPTH}; flatten it", told)
    assert found, told
    assert int(found[1]) > nodes.MAX_DEPTH


@given(st.text(st.sampled_from("ab:-[]{},&*!|>'\"%@` \n\t#?~"), max_size=40) | st.text(max_size=40))
def test_whatever_stands_in_a_file_is_read_or_refused_with_a_place(text: str) -> None:
    problems = Problems()
    refused = None
    try:
        parse("a.yaml", text, problems)
    except UnreadableError as error:
        refused = error
    assert refused is None or (refused.place.line >= 1 and refused.remedy)
