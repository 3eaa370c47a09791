"""The report as one HTML file: what is measured, drawn and laid out. Plain functions over frames, no Prefect."""
