"""The one exception that reaches users as a single line."""


class UserError(Exception):
    """Something the user can mend: the message says what, where, and the remedy, in one line."""
