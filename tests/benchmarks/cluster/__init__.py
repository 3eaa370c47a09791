"""How the transform's throughput grows with the workers of a Dask cluster."""
