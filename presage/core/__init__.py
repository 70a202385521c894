"""What every other room stands on: configs, run directories, errors, seeds, devices."""
