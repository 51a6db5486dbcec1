"""The command `tinygrad-poly`, run as `python -m tinygrad_poly`."""

import sys

from tinygrad_poly.cli import main

if __name__ == "__main__":
    sys.exit(main())
