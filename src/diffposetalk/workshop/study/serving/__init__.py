"""Hosting of a study: pages, videos and answers. Needs FastAPI, uvicorn and Jinja2, and nothing else of the project.

A copy of these modules lies in every study file, which Python runs by itself: ``python study.pyz``.
"""
