"""Comparison of records and code with a baseline: has anything become worse?"""
