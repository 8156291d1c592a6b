"""What the project's HTML pages are made of: markup, charts, and one document that loads nothing.

A page is one file without a script that opens offline. The data report and the report on results
share these parts, so that they look alike and are read alike.
"""
