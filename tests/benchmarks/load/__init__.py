"""How fast load writes, with and without a limit of Replicon's."""
