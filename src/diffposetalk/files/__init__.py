"""Files on disk, read and written safely: atomic output, npz, pickles that run nothing, the folder of users' own files."""
