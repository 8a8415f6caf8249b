"""Declare top-level conf/ as the package vosmem.conf, which setup.cfg cannot."""

from setuptools import find_packages, setup

# `find:` in setup.cfg cannot name a package that `package_dir` maps from outside src/.
setup(packages=[*find_packages("src"), "vosmem.conf"])
