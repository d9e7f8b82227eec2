"""What stands around an opened citation: its section, and the columns of its table."""

import pytest

from serve.passage import columns, section

TITLE = "fault_log"


@pytest.mark.parametrize(
    ("context", "header", "above"),
    [
        ("fault_log: date | machine | fault_code", "date | machine | fault_code", ""),
        ("fault_log › 9 Faults › 9.1 Alarms: Code | Meaning", "Code | Meaning", "9 Faults › 9.1 Alarms"),
        ("fault_log › 3: Oil: Item | Value: at 20 °C", "Item | Value: at 20 °C", "3: Oil"),
        ("fault_log › 1 Scope", "", "1 Scope"),
        ("fault_log", "", ""),
    ],
)
def test_section_and_columns(context: str, header: str, above: str) -> None:
    assert columns(context) == header
    assert section(TITLE, context) == above
