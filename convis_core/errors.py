"""The errors that Convis raises on purpose: one plain sentence that says what was wrong and what to do."""


class ConvisError(Exception):
    """Something that the person at the controls can understand and mend."""


class ImageError(ConvisError):
    """A picture cannot be read: not a picture, truncated, or too large."""


class WeightsError(ConvisError):
    """A network's weights cannot be had; the text says why and names a way out."""


class SpecError(ConvisError):
    """A specification asks for something impossible, such as a window larger than the picture."""
