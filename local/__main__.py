"""`python -m local COMMAND`: installs what is missing with any Python, then goes on in the project's own environment.

Only the standard library, and syntax of Python 3.9, may be used up to the exec.
"""

import os
import sys

from local import bootstrap


def main() -> None:
    arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["clean"] and not bootstrap.is_installed():
            bootstrap.remove_everything()
            return
        python = bootstrap.install(verbose=arguments[:1] == ["setup"])
    except bootstrap.SetupError as error:
        sys.exit(f"setup: {error}")
    except OSError as error:
        sys.exit(f"setup: {error.filename or bootstrap.STATE}: {error.strerror}; free some space or make it writable")
    except KeyboardInterrupt:
        sys.exit("setup: interrupted; run the command again to go on")
    sys.stdout.flush()
    os.execv(str(python), [str(python), "-m", "local.cli", *arguments])


if __name__ == "__main__":
    main()
