"""What an assistant is: one folder per domain, data first, with this thin loader."""

from corpora.errors import UserError
from corpora.profile import Profile, load_profile, profile_names, read_profile

__all__ = ["Profile", "UserError", "load_profile", "profile_names", "read_profile"]
