"""The one error that people see: a sentence and the next command."""


class UserError(Exception):
    """A mistake or a condition that its reader can mend; printed without a traceback, exit code 2.

    `message` says in one sentence what is wrong, `next_step` which command or action mends it.
    """

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(f"{message} {next_step}".strip())
        self.message = message
        self.next_step = next_step
