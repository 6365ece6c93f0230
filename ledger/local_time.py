"""Is China's time, by which claims, cases and clearings are dated."""

import datetime

#: China keeps one time everywhere.
CHINA = datetime.timezone(datetime.timedelta(hours=8))


def local(recorded_at: int) -> datetime.datetime:
    """Returns recorded time, microseconds since 1970 UTC, as a clock in China shows it, to the second."""
    return datetime.datetime.fromtimestamp(recorded_at // 1_000_000, CHINA)
