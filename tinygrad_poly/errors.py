"""The errors that users meet, each a subclass of the built-in that NumPy or torch users would catch."""


class ShapeError(ValueError):
    """Shapes that do not fit together: the message prints them."""


class DtypeError(TypeError):
    """A dtype that the operation cannot work with, or that cannot carry a gradient."""


class GraphError(RuntimeError):
    """A backward pass that the recorded graph does not allow."""


class DeviceError(RuntimeError):
    """A device whose array library is not installed or does not exist."""
