"""What holds for every test: hypothesis measures no time, as machines are busy and a slow example is no wrong one."""

from hypothesis import settings

settings.register_profile("accord", deadline=None)
settings.load_profile("accord")
