"""Videos that come with the package, each with the mask of its first frame; read by `vosmem.app.examples`."""
