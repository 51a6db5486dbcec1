"""The derivative table: every operation's forward function and its derivative, side by side."""
