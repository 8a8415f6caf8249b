"""Declare top-level conf/ and integrations/ as packages of vosmem, which setup.cfg cannot."""

from setuptools import find_packages, setup

# `find:` in setup.cfg cannot name packages that `package_dir` maps from outside src/.
setup(packages=[*find_packages("src"), "vosmem.conf", "vosmem.integrations"])
