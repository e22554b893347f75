"""Tests a bundle by experiment: `palio check --run`."""
