"""The announcements: whether they are where Asterisk looks for them.

Asterisk plays ``sound:callrouter/<name>`` from ``sounds/callrouter`` of its data directory, which the installation
decides (``astdatadir`` in asterisk.conf). It tells the directory as ``ASTDATADIR``, among the global variables of the
dialplan; and which sounds it found there when it started, if res_ari_sounds is loaded.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import msgspec

from callrouter.config.settings import SiteSettings
from callrouter.doctor.console import is_here
from callrouter.doctor.finding import Finding, error, ok, some, warning

FOLDER: Final = "callrouter"
"""Of the announcements, below Asterisk's sounds; what stands before the slash in ``sound:callrouter/<name>``."""


class _Format(msgspec.Struct, frozen=True):
    language: str


class KnownSound(msgspec.Struct, frozen=True):
    """A sound that Asterisk knows. It takes the folder for a language, unless that lies in a language's folder."""

    id: str
    formats: tuple[_Format, ...] = ()

    @property
    def announcement(self) -> str | None:
        """Which of ours it is."""
        if any(found.language == FOLDER for found in self.formats):
            return self.id
        return self.id.removeprefix(f"{FOLDER}/") if self.id.startswith(f"{FOLDER}/") else None


def check_prompts(
    site: SiteSettings, names: Iterable[str], data_dir: str = "", known: Collection[str] = ()
) -> list[Finding]:
    """Whether each announcement has a file, of whatever format, where Asterisk looks for it.

    ``data_dir`` is Asterisk's data directory, empty if it does not tell; ``known`` the announcements that it found when
    it started.
    """
    wanted = sorted(names)
    check = f"prompts {site.name}"
    if not wanted:
        return []
    where = Path(data_dir) / "sounds" / FOLDER if data_dir else None
    if not is_here(site) or not (where is None or where == site.sounds_dir or where.parent.is_dir()):
        return [_unseen(check, site, where, wanted, known)]
    if where is not None and not _is_played_from(site.sounds_dir, where.parent):
        text = f"Asterisk looks for them in {where}, sounds_dir is {site.sounds_dir}: callers hear no announcement"
        remedy = f"write sounds_dir: {where} for the site {site.name}, then: callrouter prompts"
        return [error(check, text, remedy)]
    found = [_files(check, site, wanted)]
    if where is None:
        remedy = 'compare sounds_dir with "Data directory" of: asterisk -rx "core show settings"'
        found.append(warning(check, "where Asterisk looks for them cannot be told", remedy))
    return found


def _is_played_from(folder: Path, sounds: Path) -> bool:
    """Whether ``callrouter/`` means this folder to Asterisk: below its sounds, or below those of one language."""
    here = folder.resolve()
    if here == (sounds / FOLDER).resolve():
        return True
    return here.name == FOLDER and here.parent.parent == sounds.resolve()


def _unseen(check: str, site: SiteSettings, where: Path | None, wanted: list[str], known: Collection[str]) -> Finding:
    """What can be said of another machine, or of an Asterisk with another root folder (a container, a chroot)."""
    missing = [name for name in wanted if name not in known]
    if not missing:
        return ok(check, f"Asterisk knew all {len(wanted)} announcements when it started")
    folder = where or site.sounds_dir
    why = "is not on this machine as it is seen from here" if is_here(site) else "is on another machine"
    text = f"{folder}, where Asterisk looks for them, {why}"
    if known:
        text += f"; when it started, it had no {some(missing)}"
    return warning(check, text, f"where Asterisk runs: callrouter prompts --sounds {folder}")


def _files(check: str, site: SiteSettings, wanted: list[str]) -> Finding:
    try:
        paths = [*site.sounds_dir.iterdir(), *site.sounds_dir.glob("*/*")]
        names = {path.relative_to(site.sounds_dir).as_posix(): path.stat().st_size for path in paths}
        there = {name.partition(".")[0] for name, size in names.items() if size > 0}
    except OSError as exc:
        remedy = "callrouter prompts makes it"
        return error(check, f"{site.sounds_dir}: {exc.strerror}; callers hear no announcement", remedy)
    missing = [name for name in wanted if name not in there]
    if missing:
        text = f"{len(missing)} of {len(wanted)} announcements have no file in {site.sounds_dir}: {some(missing)}"
        return error(check, text, "callrouter prompts speaks them")
    return ok(check, f"all {len(wanted)} announcements have a file in {site.sounds_dir}")
