"""The configuration's folder: read at rest, and given other files as a whole or not at all."""

import os
import stat
import threading
from pathlib import Path

import pytest

from callrouter.config import folder as folders
from callrouter.config.folder import at_rest, files_of, laid_out, locked, put_back, put_in_place
from callrouter.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files that count, one of cases, a table, and what is nobody's business."""
    place = tmp_path / "config"
    place.mkdir()
    for name in ("routes.yaml", "queues.yml", "routes-test.yaml", "table.csv", "notes.txt", ".routes.yaml.swp"):
        (place / name).write_text(f"old {name}\n", encoding="utf-8")
    return place


def contents(place: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(place.iterdir()) if path.is_file()}


@pytest.fixture
def before(folder: Path) -> dict[str, str]:
    return contents(folder)


def test_the_files_that_count_are_those_with_sections_and_those_with_cases(folder: Path) -> None:
    assert [path.name for path in files_of(folder)] == ["queues.yml", "routes.yaml", "routes-test.yaml"]


def test_a_version_put_in_place_replaces_what_counts_and_leaves_the_rest(folder: Path, before: dict[str, str]) -> None:
    kept = put_in_place({"routes.yaml": "new\r\n", "more.yaml": "more\n", "/etc/passwd": "not ours"}, folder)
    assert (folder / "routes.yaml").read_bytes() == b"new\r\n"
    assert set(contents(folder)) == {"routes.yaml", "more.yaml", "table.csv", "notes.txt", ".routes.yaml.swp"}
    assert contents(kept) == {name: before[name] for name in ("routes.yaml", "queues.yml", "routes-test.yaml")}


def test_putting_back_leaves_the_folder_as_it_was(folder: Path, before: dict[str, str]) -> None:
    kept = put_in_place({"routes.yaml": "new\n", "more.yaml": "more\n", "table.csv": "new\n"}, folder)
    assert contents(folder) != before
    put_back(kept, folder)
    assert contents(folder) == before


def test_owner_and_mode_of_a_file_stay_as_they_are(folder: Path) -> None:
    os.chmod(folder / "routes.yaml", 0o640)
    put_in_place({"routes.yaml": "new\n", "more.yaml": "more\n"}, folder)
    modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("routes.yaml", "more.yaml")}
    assert modes == {"routes.yaml": 0o640, "more.yaml": 0o644}


def test_a_disk_that_fails_half_way_leaves_the_folder_as_it_was(
    folder: Path, before: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = folders._write

    def fail_at_the_second(path: Path, text: str) -> None:
        if path.name == "more.yaml":
            raise OSError(28, "No space left on device")
        write(path, text)

    monkeypatch.setattr(folders, "_write", fail_at_the_second)
    with pytest.raises(OSError, match="No space left"):
        put_in_place({"routes.yaml": "new\n", "more.yaml": "more\n"}, folder)
    assert contents(folder) == before


def test_names_that_lead_out_of_the_folder_are_laid_out_nowhere(tmp_path: Path) -> None:
    with laid_out({"a.yaml": "a", "tables/b.csv": "b", "../c.yaml": "c", str(tmp_path / "d.yaml"): "d"}) as place:
        found = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
        assert found == ["a.yaml", "tables/b.csv"]
    assert not place.exists()
    assert not (tmp_path / "d.yaml").exists()


def test_who_writes_waits_for_who_reads_and_says_so(folder: Path) -> None:
    writer = locked(folder, to_write=True, wait_s=0.05)
    says = pytest.raises(ConfigError, match="someone else reads or writes the files; try again")
    with locked(folder, to_write=False), locked(folder, to_write=False), says:
        writer.__enter__()
    reader = locked(folder, to_write=False, wait_s=0.05)
    says = pytest.raises(ConfigError, match="someone else is putting a version in place; try again")
    with locked(folder, to_write=True), says:
        reader.__enter__()


def test_a_lock_is_waited_for(folder: Path) -> None:
    taken, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(folder, to_write=True):
            taken.set()
            let_go.wait(5)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(5)
    threading.Timer(0.1, let_go.set).start()
    with locked(folder, to_write=False, wait_s=5):
        assert let_go.is_set()
    holder.join()


def test_a_reading_during_which_a_file_was_saved_is_done_again(folder: Path) -> None:
    readings: list[str] = []

    def read() -> str:
        readings.append((folder / "routes.yaml").read_text(encoding="utf-8"))
        if len(readings) == 1:
            (folder / "queues.yml").write_text("saved meanwhile, and longer\n", encoding="utf-8")
        return readings[-1]

    assert at_rest(folder, read) == "old routes.yaml\n"
    assert len(readings) == 2


def test_files_that_never_come_to_rest_are_not_taken(folder: Path) -> None:
    def read() -> None:
        with (folder / "routes.yaml").open("a", encoding="utf-8") as file:
            file.write("more\n")

    with pytest.raises(ConfigError, match="files change while they are read; ask again when all are saved"):
        at_rest(folder, read, patience_s=0.05)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: cannot be opened"):
        at_rest(tmp_path / "nowhere", lambda: None)
