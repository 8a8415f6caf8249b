"""The Hydra configs, shipped inside the package as `vosmem.conf` and read as `pkg://vosmem.conf`."""
