"""Names that one part of the configuration uses and another defines."""

from dataclasses import dataclass

from callrouter.config.model import Model
from callrouter.config.problems import Path, Problems, nearest
from callrouter.config.source import Document
from callrouter.config.validate import Checked


def singular(section: str) -> str:
    """What one entry of a section is called: ``queue`` of ``queues``."""
    return section.removesuffix("es" if section == "switches" else "s")


@dataclass(frozen=True, slots=True)
class Context:
    """What every compiling function needs."""

    document: Document
    checked: Checked
    model: Model
    problems: Problems

    def error(self, path: Path, message: str, remedy: str, *, key: bool = False) -> None:
        """Note a fault at ``path``."""
        self.problems.error(self.document.place(path, key=key), message, remedy)

    def warn(self, path: Path, message: str, remedy: str, *, key: bool = False) -> None:
        """Note what is probably not meant."""
        self.problems.warn(self.document.place(path, key=key), message, remedy)

    def names(self, section: str) -> frozenset[str]:
        """The names that are written in ``section``, in faulty entries too."""
        return self.checked.names.get(section, frozenset())

    def whole(self, *sections: str) -> bool:
        """Whether nothing was left out of these sections, so that what is missing is missing indeed."""
        return not self.checked.damaged.intersection(sections)

    def refer(self, section: str, name: str, path: Path, *, key: bool = False) -> bool:
        """Whether ``section`` defines ``name``; a fault at ``path`` is noted if not.

        True only if the definition is sound, too: a faulty one was reported where it stands.
        """
        if section in self.checked.damaged and section not in self.checked.names:
            return False  # The section as a whole is unusable, and that was reported.
        if name not in self.names(section):
            self.error(path, f'unknown {singular(section)} "{name}"', nearest(name, self.names(section)), key=key)
            return False
        return name in getattr(self.model, section)
