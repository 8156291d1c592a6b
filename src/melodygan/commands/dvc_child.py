"""`dvc` for `melodygan repro`: python -m melodygan.commands.dvc_child PARENT ARGUMENTS."""

import sys

from melodygan.pipeline.process import die_with_parent


def main() -> int:
    """Run dvc in this process, which ends when the process PARENT does."""
    die_with_parent(int(sys.argv.pop(1)))
    from dvc.cli import main as dvc

    status: int = dvc(sys.argv[1:])
    return status


if __name__ == "__main__":
    sys.exit(main())
