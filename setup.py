"""Hand setuptools what setup.cfg cannot say: top-level conf/ is the package vosmem.conf."""

from setuptools import find_packages, setup

# `find:` in setup.cfg cannot name a package that `package_dir` maps from outside src/.
setup(packages=[*find_packages("src"), "vosmem.conf"])
