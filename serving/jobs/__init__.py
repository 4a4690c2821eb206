"""Bulk jobs: the risk of many customers, asked for at once and answered in the background.

ids.py      what was sent, row by row, whatever format it came in
job.py      a job on disk: what was asked, the batches that are answered, how it ended
answers.py  a batch of rows with what was published of them
runner.py   the thread that works on jobs, one batch after another
results.py  the result as Parquet, CSV or JSON lines
"""
