"""Starts the command ``settlement``: what it needs takes a moment to load, and Ctrl-C may come then already."""

import sys


def main() -> int:
    """Loads the commands, runs one and returns its exit status."""
    try:
        from console.main import main as command
    except KeyboardInterrupt:
        print("settlement: interrupted: stopped by the keyboard, nothing had begun", file=sys.stderr)
        return 130
    return command()


if __name__ == "__main__":
    sys.exit(main())
