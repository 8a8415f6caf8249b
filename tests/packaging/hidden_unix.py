"""Run by `test_other_systems.py`: vosmem without what Windows and macOS lack, taken away before anything is imported.

Usage: hidden_unix.py FRAMES MASK CHECKPOINT OUTPUT
"""

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


class Refuse:
    """Finds none of the hidden modules."""

    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}, as on Windows", name=name)


def hide():
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, Refuse())
    for module, names in ((os, OS_NAMES), (signal, SIGNAL_NAMES)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    # What Windows writes in its own encoding, another system reads as something else.
    warnings.filterwarnings("error", category=EncodingWarning, module=r"vosmem\b")


def main(frames, mask, checkpoint, output):
    hide()
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        raise AssertionError(f"{name} was not hidden")
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
