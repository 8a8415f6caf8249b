"""What a message for the user has to say."""

import re


def naming(*parts: str) -> str:
    """Matches one line that holds the parts in this order."""
    return r"\A" + "".join(f".*{re.escape(part)}" for part in parts) + r".*\Z"
