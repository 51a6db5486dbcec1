"""`python -m tinygrad_poly` is the command `tinygrad-poly`."""

import sys

from tinygrad_poly.cli import main

if __name__ == "__main__":
    sys.exit(main())
