"""Numbers of things, as messages say them."""


def counted(number: int, thing: str) -> str:
    """One thing, or several.

    Example:
        >>> counted(1, "mask"), counted(3, "mask")
        ('1 mask', '3 masks')
    """
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
