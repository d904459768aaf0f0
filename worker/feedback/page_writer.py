"""Stores a raw page or push before anything is read from it: a long one piece by piece.

Each piece is a transaction of its own. While a page of megabytes is stored, or marked as read, no
other writer of the database waits for more than a piece of it. A page counts as stored, and waits
to be read, when its last piece is committed.
"""

from sqlalchemy import Engine

from worker import failpoints
from worker.store.db import database
from worker.store.feedback import inbox, page_pieces
from worker.store.feedback.page_pieces import RawPage


class PageWriter:
    """The storing of one page: when it failed and is tried again, it goes on where it was.

    `begun_id` is the id that another writer of the same page left off at.
    """

    def __init__(self, engine: Engine, page: RawPage, begun_id: int | None = None) -> None:
        self._engine = engine
        self._page = page
        #: The id of the page once its first piece is stored; None before.
        self.begun_id = begun_id

    def write(self) -> int:
        """Store the page; return its id once all of it is committed.

        Raises what `database.writing` does; what is stored by then stays, marked as cut off.
        """
        if not self._page.is_long:
            return self._write_whole()
        while True:
            inbox_id, numbers = self._begin()
            if self._add_pieces(inbox_id, numbers):
                return inbox_id
            # It was deleted under our hands.
            self.begun_id = None

    def _write_whole(self) -> int:
        page = self._page
        with database.writing(self._engine) as connection:
            return inbox.add_page(
                connection,
                page.account,
                page.kind,
                page.body,
                status=page.status,
                target=page.target,
                headers=page.headers,
            )

    def _begin(self) -> tuple[int, set[int]]:
        """Return the page's id and the numbers of those pieces that are stored."""
        if self.begun_id is not None:
            with database.reading(self._engine) as connection:
                numbers = page_pieces.stored_numbers(connection, self.begun_id, self._page)
            if numbers is not None:
                return self.begun_id, numbers
        with database.writing(self._engine) as connection:
            begun_id = page_pieces.begin(connection, self._page)
        self.begun_id = begun_id
        return begun_id, {0}

    def _add_pieces(self, inbox_id: int, numbers: set[int]) -> bool:
        """Store the pieces that are missing, and complete the page; False when it is gone."""
        pieces = list(enumerate(self._page.pieces()))
        last = len(pieces) - 1
        for n, piece in pieces:
            if n in numbers and n != last:
                continue
            failpoints.reach("page.piece")
            with database.writing(self._engine) as connection:
                if not page_pieces.add(connection, inbox_id, n, piece):
                    return False
                if n == last:
                    page_pieces.complete(connection, inbox_id, self._page.headers)
        return True
