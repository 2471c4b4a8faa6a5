"""What holds for every test: hypothesis measures no time, as machines are busy and a slow example is no wrong one.

`ACCORD_EXAMPLES` says how many examples a law is tried on that does not say so itself.
"""

import os

from hypothesis import settings

settings.register_profile("accord", deadline=None, max_examples=int(os.environ.get("ACCORD_EXAMPLES", "25")))
settings.load_profile("accord")
