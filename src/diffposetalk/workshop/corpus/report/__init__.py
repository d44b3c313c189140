"""A page to judge a corpus by: what is in it, how it moves, what looks wrong, and some of it on film."""

from diffposetalk.workshop.corpus.report.page import CorpusReport, page_path, write_report

__all__ = ["CorpusReport", "page_path", "write_report"]
