"""Coordinates of a page as it is read: from its upper left corner, whichever way it was turned."""

Box = tuple[float, float, float, float]


def turn_of(a: float, b: float) -> int:
    """Quarter turns, counter-clockwise, of text whose baseline runs along `(a, b)`."""
    if abs(b) > abs(a):
        return 1 if b > 0 else 3
    return 0 if a >= 0 else 2


class Upright:
    """Maps boxes `(left, bottom, right, top)` of a PDF page, y upwards, to `(left, top, right, bottom)`, y downwards."""

    def __init__(self, box: Box, turn: int) -> None:
        self.turn = turn
        self._x0, self._y0, self._x1, self._y1 = box
        across = (self._x1 - self._x0, self._y1 - self._y0)
        self.width, self.height = across[::-1] if turn % 2 else across

    def __call__(self, left: float, bottom: float, right: float, top: float) -> Box:
        if self.turn == 0:
            return left - self._x0, self._y1 - top, right - self._x0, self._y1 - bottom
        if self.turn == 1:
            return bottom - self._y0, left - self._x0, top - self._y0, right - self._x0
        if self.turn == 2:
            return self._x1 - right, bottom - self._y0, self._x1 - left, top - self._y0
        return self._y1 - top, self._x1 - right, self._y1 - bottom, self._x1 - left
