"""Run by `test_other_systems.py`: vosmem without what Windows and macOS lack, taken away before vosmem is imported.

Only vosmem's own files lose these modules and names. Packages built for this system may need them, and their builds for
other systems do without.

Usage: hidden_unix.py FRAMES MASK CHECKPOINT OUTPUT
"""

import builtins
import importlib
import os
import pkgutil
import signal
import sys
import warnings

# Modules that only Unix has, and names that Windows or macOS lack. Python's own files guard each of them.
MODULES = ("fcntl", "grp", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty")
OS_NAMES = (
    *("O_DIRECTORY", "chown", "fchmod", "fchown", "fork", "forkpty", "geteuid", "getgid", "getgroups", "getloadavg"),
    *("getpgid", "getuid", "killpg", "lchown", "mkfifo", "nice", "posix_fadvise", "posix_fallocate", "posix_spawn"),
    *("pread", "pwrite", "register_at_fork", "sched_getaffinity", "sched_setaffinity", "sendfile", "setsid", "statvfs"),
    *("sync", "sysconf", "uname", "wait3", "wait4", "waitid"),
)
SIGNALS = ("SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGTSTP", "SIGUSR1", "SIGUSR2")
SIGNAL_NAMES = (*SIGNALS, "alarm", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "sigwait")


class Lacking:
    """A module without some of its names."""

    def __init__(self, module, names):
        self._module, self._names = module, frozenset(names)

    def __getattr__(self, name):
        if name in self._names:
            raise AttributeError(
                f"module {self._module.__name__!r} has no attribute {name!r}, as on Windows", name=name
            )
        return getattr(self._module, name)


def hide():
    found, lacking = builtins.__import__, {"os": Lacking(os, OS_NAMES), "signal": Lacking(signal, SIGNAL_NAMES)}

    def import_as_elsewhere(name, globals=None, locals=None, fromlist=(), level=0):
        if (globals or {}).get("__name__", "").partition(".")[0] != "vosmem" or level:
            return found(name, globals, locals, fromlist, level)
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}, as on Windows", name=name)
        return lacking.get(name) or found(name, globals, locals, fromlist, level)

    builtins.__import__ = import_as_elsewhere
    # What Windows writes in its own encoding, another system reads as something else.
    warnings.filterwarnings("error", category=EncodingWarning, module=r"vosmem\b")


def main(frames, mask, checkpoint, output):
    hide()
    for code in ("import fcntl", "import os; os.fork", "from signal import SIGKILL"):
        try:
            exec(code, {"__name__": "vosmem.some_file", "__builtins__": builtins})
        except (ImportError, AttributeError):
            continue
        raise AssertionError(f"{code} was not refused")
    import vosmem
    from vosmem.cli.__main__ import COMMANDS
    from vosmem.cli.__main__ import main as vosmem_command

    def run(*words):
        sys.argv = ["vosmem", *words]
        try:
            vosmem_command()
        except SystemExit as ended:
            if ended.code:
                sys.exit(f"vosmem {' '.join(words)} ended with {ended.code}")

    modules = [found.name for found in pkgutil.walk_packages(vosmem.__path__, "vosmem.")]
    for name in modules:
        importlib.import_module(name)
    for command in COMMANDS:
        run(command, "--help")
    run("doctor", frames, "--mask", mask)
    run("segment", frames, "--mask", mask, "--weights", checkpoint, "--output", output, "--device", "cpu")
    print(f"\nimported {len(modules)} modules")


if __name__ == "__main__":
    main(*sys.argv[1:])
