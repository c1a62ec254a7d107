"""How the local cluster fails."""


class LocalClusterError(Exception):
    """The local cluster cannot do what was asked; one line that says why."""


def one_line(text: str) -> str:
    """What a program said, for such a line."""
    return " ".join(text.split())[:300]
