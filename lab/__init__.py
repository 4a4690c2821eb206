"""What proves us right and is not installed: the ideal observer of simulated companies, the audit
of training sets with leaks planted to test it, the catalogue of features. It may import every room;
no room imports it.
"""
