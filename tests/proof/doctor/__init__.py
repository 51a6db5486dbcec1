"""The measurement of the gradient doctor: right and wrong gradients by the thousand, before it and other checkers."""
