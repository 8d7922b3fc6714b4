"""What comes in is kept for ``callrouter replay``, where the configuration says so."""

from datetime import datetime

import structlog

import callrouter
from callrouter.config import Loaded
from callrouter.core.exchange import Exchange
from callrouter.replay.recorder import FOLDER, Recorder, make_room

log = structlog.get_logger(__name__)


def recorder_of(loaded: Loaded, exchange: Exchange, at: datetime) -> Recorder | None:
    """What keeps the run that begins ``at`` then; None: nothing does.

    A folder that cannot be written is told, and keeps no daemon from starting.
    """
    settings = loaded.settings
    if not settings.inputs_keep_s:
        return None
    folder = settings.state_dir / FOLDER
    try:
        make_room(folder, at, settings.inputs_keep_s, settings.inputs_at_most_bytes)
    except OSError as error:
        log.warning("inputs.not_kept", why=str(error), remedy=f"let the daemon's user write {folder}")
        return None
    recorder = Recorder(folder, exchange, at, settings.inputs_keep_s, settings.inputs_at_most_bytes)
    recorder.rules(loaded.rulebook.hash, loaded.files, loaded.environment)
    recorder.began(at, callrouter.__version__)
    return recorder
