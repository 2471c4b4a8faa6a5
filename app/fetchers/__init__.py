"""Fetching from outside ahead of need: nothing here is called between look-up and signing."""


class FetchError(Exception):
    """Something outside could not be fetched. `code` is for programs; `str()` is one English line for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
