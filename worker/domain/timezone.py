"""The one time zone that people, gateways and rules of the day go by: China's."""

from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: Gateways print their times in it, sending hours and days begin and end in it, and times are
#: shown in it on the pages and on the command line. The database holds UTC.
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
#: How far it is ahead of UTC. China has had one zone and no summer time since 1991.
SHANGHAI_OFFSET: Final = timedelta(hours=8)
