"""What can go wrong in the laboratory."""


class LabError(Exception):
    """The laboratory cannot do what was asked; the message says why and what helps."""


class MissingToolError(LabError):
    """A program of the host is missing; the message names the command that installs it."""


class NotReadyError(LabError):
    """A program was started but did not become ready in time; the message quotes the end of its log."""
