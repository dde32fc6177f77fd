"""What only a machine with a GPU can show; run by hand: `python -m tests.device.check_gpu`."""
