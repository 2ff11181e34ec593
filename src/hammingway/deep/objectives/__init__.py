"""Objectives: what a code should be like, one file a paper."""
