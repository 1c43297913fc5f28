"""Expressions of schedules: what EventBridge Scheduler receives, and the hint for each invalid one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import available_timezones

import pytest

from handoff_kit.project.schedule_settings import Schedule
from handoff_kit.scheduling.expression import expression_problem
from handoff_kit.scheduling.timezones import timezone_problem, zone_of

if TYPE_CHECKING:
    from handoff_kit.scheduling.expression import Kind

FIELDS = "expected five (minute hour day month weekday), or six as AWS writes them (and year)"
NAMES = "@hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"
NONE = f"expected five or six fields, or one of {NAMES}"
EXAMPLE = "for example: 0 2 * * *, which is every day at 02:00"
SIX = "expected minute hour day month weekday year, with ? for day or for weekday"
OFTEN = "expected a number of minutes, hours or days, like `15 minutes`"
ONCE = "expected a time of the schedule's timezone, like `2027-01-31T06:00:00`"
FAR = "which in UTC is outside of the years 1 to 9999, expected a nearer time"
ITEM = "expected *, a value, a range, or one of them with /STEP"


# cron


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # five fields
        pytest.param("0 2 * * *", "0 2 * * ? *", id="every day"),
        pytest.param("  0\t2  * * * ", "0 2 * * ? *", id="blanks"),
        pytest.param("* * * * *", "* * * * ? *", id="every minute"),
        pytest.param("*/15 * * * *", "0/15 * * * ? *", id="steps of all"),
        pytest.param("5/20 * * * *", "5/20 * * * ? *", id="steps from a minute"),
        pytest.param("*/1 * * * *", "* * * * ? *", id="steps of one"),
        pytest.param("10-50/20 * * * *", "10,30,50 * * * ? *", id="steps of a range"),
        pytest.param("*/20,5 * * * *", "0,5,20,40 * * * ? *", id="steps in a list"),
        pytest.param("0,30 8-18 * * *", "0,30 8-18 * * ? *", id="list and range"),
        pytest.param("1,2,3,7 0 * * *", "1,2,3,7 0 * * ? *", id="a list"),
        pytest.param("1-3,7 0 * * *", "1-3,7 0 * * ? *", id="a list with a range in it"),
        pytest.param("0 22-2 * * *", "0 0,1,2,22,23 * * ? *", id="hours over midnight"),
        pytest.param("0 0 * NOV-FEB *", "0 0 * 1,2,11,12 ? *", id="months over new year"),
        pytest.param("0 0 1 jan,Jul *", "0 0 1 JAN,JUL ? *", id="names of months in any case"),
        pytest.param("0 0 1 */3 *", "0 0 1 1/3 ? *", id="every third month"),
        pytest.param("00 02 01 01 *", "0 2 1 1 ? *", id="leading zeros"),
        pytest.param("0 0 ? * *", "0 0 * * ? *", id="a question mark is a star"),
        # weekdays: 0 and 7 are Sunday
        pytest.param("0 0 * * 0", "0 0 ? * SUN *", id="weekday 0"),
        pytest.param("0 0 * * 7", "0 0 ? * SUN *", id="weekday 7"),
        pytest.param("0 0 * * 1-5", "0 0 ? * MON-FRI *", id="weekdays"),
        pytest.param("0 0 * * mon-fri", "0 0 ? * MON-FRI *", id="weekdays by name"),
        pytest.param("0 0 * * 6,0", "0 0 ? * SAT,SUN *", id="the weekend"),
        pytest.param("0 0 * * 5-7", "0 0 ? * SUN,FRI,SAT *", id="to Sunday as 7"),
        pytest.param("0 0 * * 7-7", "0 0 ? * SUN-SUN *", id="Sunday alone, as a range"),
        pytest.param("0 0 * * 7-2", "0 0 ? * SUN-TUE *", id="from Sunday as 7"),
        pytest.param("0 0 * * FRI-MON", "0 0 ? * SUN,MON,FRI,SAT *", id="over the week's end"),
        pytest.param("0 0 * * 0-6", "0 0 * * ? *", id="all weekdays are every day"),
        pytest.param("0 0 * * 0-7", "0 0 * * ? *", id="all weekdays, Sunday twice"),
        pytest.param("0 0 * * */2", "0 0 ? * SUN,TUE,THU,SAT *", id="steps of weekdays"),
        pytest.param("0 0 1-31 * *", "0 0 * * ? *", id="all days are every day"),
        # L, W and #
        pytest.param("0 0 L * *", "0 0 L * ? *", id="the last day"),
        pytest.param("0 0 LW * *", "0 0 LW * ? *", id="the last weekday"),
        pytest.param("0 0 15W * *", "0 0 15W * ? *", id="the weekday nearest the 15th"),
        pytest.param("0 0 * * 5L", "0 0 ? * 6L *", id="the last Friday, counted as unix does"),
        pytest.param("0 0 * * FRIL", "0 0 ? * 6L *", id="the last Friday by name"),
        pytest.param("0 0 * * 1#2", "0 0 ? * 2#2 *", id="the second Monday"),
        pytest.param("0 0 * * MON#2", "0 0 ? * 2#2 *", id="the second Monday by name"),
        pytest.param("0 0 * * L", "0 0 ? * SAT *", id="the last day of the week"),
        # six fields, as AWS counts
        pytest.param("0 2 * * ? *", "0 2 * * ? *", id="AWS: every day"),
        pytest.param("cron(0 2 * * ? *)", "0 2 * * ? *", id="AWS: in brackets"),
        pytest.param("0 2 ? * 2-6 *", "0 2 ? * MON-FRI *", id="AWS: weekdays by its numbers"),
        pytest.param("0 2 ? * MON-FRI 2027-2030", "0 2 ? * MON-FRI 2027-2030", id="AWS: years"),
        pytest.param("0 2 1 * ? 2027/2", "0 2 1 * ? 2027/2", id="AWS: every other year"),
        pytest.param("0 2 ? * 6L *", "0 2 ? * 6L *", id="AWS: the last Friday"),
        pytest.param("0 2 ? * 6#3 *", "0 2 ? * 6#3 *", id="AWS: the third Friday"),
        pytest.param("0 2 3W * ? *", "0 2 3W * ? *", id="AWS: the weekday nearest the third"),
        # names
        pytest.param("@hourly", "0 * * * ? *", id="hourly"),
        pytest.param("@daily", "0 0 * * ? *", id="daily"),
        pytest.param("@midnight", "0 0 * * ? *", id="midnight"),
        pytest.param("@Weekly", "0 0 ? * SUN *", id="weekly"),
        pytest.param("@monthly", "0 0 1 * ? *", id="monthly"),
        pytest.param("@yearly", "0 0 1 1 ? *", id="yearly"),
        pytest.param("@annually", "0 0 1 1 ? *", id="annually"),
    ],
)
def test_cron(text: str, expected: str) -> None:
    assert Schedule(cron=text).expression == f"cron({expected})"
    assert Schedule(cron=f"cron({expected})").expression == f"cron({expected})"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param("60 * * * *", "found minute `60` in `60 * * * *`, expected 0 to 59", "did you mean `0`?", id="60"),
        pytest.param("0 24 * * *", "found hour `24` in `0 24 * * *`, expected 0 to 23", "did you mean `0`?", id="24"),
        pytest.param("0 25 * * *", "found hour `25` in `0 25 * * *`, expected 0 to 23", "did you mean `23`?", id="25"),
        pytest.param("0 0 0 * *", "found day `0` in `0 0 0 * *`, expected 1 to 31", "did you mean `1`?", id="day 0"),
        pytest.param(
            "0 0 32 * *", "found day `32` in `0 0 32 * *`, expected 1 to 31", "did you mean `31`?", id="day 32"
        ),
        pytest.param(
            "0 0 1 13 *",
            "found month `13` in `0 0 1 13 *`, expected 1 to 12 or JAN to DEC",
            "did you mean `12`?",
            id="13",
        ),
        pytest.param(
            "0 0 * * 8", "found weekday `8` in `0 0 * * 8`, expected 0 to 7 or SUN to SAT", "did you mean `0`?", id="8"
        ),
        pytest.param(
            "0 0 ? * 0 *",
            "found weekday `0` in `0 0 ? * 0 *`, expected 1 to 7 or SUN to SAT",
            "did you mean `1`?",
            id="AWS 0",
        ),
        pytest.param(
            "0 0 * * MONDAY",
            "found weekday `MONDAY` in `0 0 * * MONDAY`, expected 0 to 7 or SUN to SAT",
            "did you mean `MON`?",
            id="a whole name",
        ),
        pytest.param(
            "0 0 1 janv *",
            "found month `JANV` in `0 0 1 JANV *`, expected 1 to 12 or JAN to DEC",
            "did you mean `JAN`?",
            id="another name",
        ),
        pytest.param("H 2 * * *", "found minute `H` in `H 2 * * *`, expected 0 to 59", "for example: 0", id="Jenkins"),
        pytest.param(
            "0 2 * * ? 1969",
            "found year `1969` in `0 2 * * ? 1969`, expected 1970 to 2199",
            "did you mean `1970`?",
            id="year",
        ),
        pytest.param(
            "٣ 2 * * *", "found minute `٣` in `٣ 2 * * *`, expected 0 to 59", "did you mean `3`?", id="digits"
        ),
        # steps, lists, ranges
        pytest.param(
            "*/90 * * * *",
            "found step `90` of minute in `*/90 * * * *`, expected 1 to 59",
            "every 90 minutes is no cron, but a rate: 90 minutes",
            id="a step beyond the hour",
        ),
        pytest.param(
            "0 */0 * * *", "found step `0` of hour in `0 */0 * * *`, expected 1 to 23", "for example: */2", id="step 0"
        ),
        pytest.param(
            "0 0 1 */20 *",
            "found step `20` of month in `0 0 1 */20 *`, expected 1 to 11",
            "for example: */2",
            id="step 20",
        ),
        pytest.param(
            "1,,2 * * * *",
            f"found minute `1,,2` with an empty item in `1,,2 * * * *`, {ITEM}",
            "did you mean `1,2`?",
            id="an empty item",
        ),
        pytest.param(
            "0 2- * * *", f"found hour `2-` in `0 2- * * *`, {ITEM}", "for example: * or 0 or 0-1", id="an open range"
        ),
        pytest.param(
            "0 *-5 * * *", f"found hour `*-5` in `0 *-5 * * *`, {ITEM}", "for example: * or 0 or 0-1", id="from a star"
        ),
        # what never comes
        pytest.param(
            "0 0 31 2 *",
            "found day `31` of month `2` in `0 0 31 2 *`, which never comes, expected 1 to 29",
            "the last day of a month is L",
            id="31 February",
        ),
        pytest.param(
            "0 0 31 4,6 *",
            "found day `31` of month `4,6` in `0 0 31 4,6 *`, which never comes, expected 1 to 30",
            "the last day of a month is L",
            id="31 April and June",
        ),
        pytest.param(
            "0 0 31W * *",
            "found day `31W` in `0 0 31W * *`, which some months do not have, expected 1W to 28W",
            "the last weekday of a month is LW",
            id="31W",
        ),
        pytest.param(
            "0 0 * * 5#6",
            "found weekday `5#6` in `0 0 * * 5#6`, expected 5#1 to 5#5",
            "the last one of a month is 5L",
            id="#6",
        ),
        # day and weekday
        pytest.param(
            "0 0 1 * MON",
            "found both day `1` and weekday `MON` in `0 0 1 * MON`, of which AWS takes one, expected * for the other",
            "write two schedules: `0 0 1 * *` and `0 0 * * MON`",
            id="day and weekday",
        ),
        pytest.param(
            "0 2 1 * MON *",
            "found both day `1` and weekday `MON` in `0 2 1 * MON *`, of which AWS takes one, expected ? for the other",
            "write two schedules: `0 2 1 * ? *` and `0 2 ? * MON *`",
            id="AWS: day and weekday",
        ),
        pytest.param(
            "5 2 * * * *",
            f"found no ? in the six fields `5 2 * * * *`, {SIX}",
            "did you mean `5 2 * * ? *`?",
            id="AWS: no question mark",
        ),
        pytest.param(
            "0 0 2 * * *",
            f"found no ? in the six fields `0 0 2 * * *`, {SIX}",
            "did you mean `0 0 2 * ? *`, or if the first are seconds: `0 2 * * *`?",
            id="AWS: or seconds",
        ),
        pytest.param(
            "0 0 2 * * ?",
            f"found ? for the year in the six fields `0 0 2 * * ?`, {SIX}",
            "did you mean `0 0 2 * ? *`, or if the first are seconds: `0 2 * * *`?",
            id="Quartz",
        ),
        pytest.param(
            "0 2 ? * ? *",
            f"found two ? in the six fields `0 2 ? * ? *`, {SIX}",
            "did you mean `0 2 * * ? *`?",
            id="AWS: two question marks",
        ),
        pytest.param(
            "0 0 1,L * *",
            "found day `1,L` in `0 0 1,L * *`, expected L, LW or 15W alone",
            "write a schedule for `L`, and another one for the rest",
            id="L in a list",
        ),
        pytest.param(
            "0 0 L-3 * *",
            "found day `L-3` in `0 0 L-3 * *`, expected L, LW or 15W",
            "for example: L",
            id="before the last",
        ),
        pytest.param(
            "0 0 * * 1,5L",
            "found weekday `1,5L` in `0 0 * * 1,5L`, expected FRI#2 or FRIL alone",
            "write a schedule for `5L`, and another one for the rest",
            id="5L in a list",
        ),
        # no fields
        pytest.param("", f"found nothing, {NONE}", EXAMPLE, id="nothing"),
        pytest.param("daily", f"found `daily`, {NONE}", "did you mean `@daily`?", id="without its sign"),
        pytest.param("@dayly", f"found `@dayly`, {NONE}", "did you mean `@daily`?", id="misspelt"),
        pytest.param("@reboot", f"found `@reboot`, {NONE}", EXAMPLE, id="reboot"),
        pytest.param("@every 15m", f"found `@every 15m`, {NONE}", "write it as a rate: 15 minutes", id="every"),
        pytest.param("02:30", f"found `02:30`, {NONE}", "did you mean `30 2 * * *`?", id="a time of day"),
        pytest.param("daily at 2:30", f"found `daily at 2:30`, {NONE}", "did you mean `30 2 * * *`?", id="in words"),
        pytest.param("rate(1 hour)", f"found `rate(1 hour)`, {NONE}", "write it like this: rate: 1 hour", id="a rate"),
        pytest.param(
            "at(2027-01-31T06:00:00)",
            f"found `at(2027-01-31T06:00:00)`, {NONE}",
            "write it like this: at: 2027-01-31T06:00:00",
            id="a time",
        ),
        pytest.param(
            "1 2 * *", f"found 4 fields in `1 2 * *`, {FIELDS}", "did you mean `1 2 * * *`?", id="four fields"
        ),
        pytest.param(
            "0 0 2 * * ? *",
            f"found 7 fields in `0 0 2 * * ? *`, {FIELDS}",
            "seconds are not counted: did you mean `0 2 * * ? *`?",
            id="seven fields",
        ),
        pytest.param(
            "1, 2 * * * *", f"found 6 fields in `1, 2 * * * *`, {FIELDS}", "did you mean `1,2 * * * *`?", id="a blank"
        ),
        pytest.param(
            f"0 {'9' * 5000} * * *",
            f"found hour `{'9' * 5000}` in `0 {'9' * 5000} * * *`, expected 0 to 23",
            "did you mean `23`?",
            id="more digits than Python reads",
        ),
        pytest.param("0 0 0 0 0 0 0 0", f"found 8 fields in `0 0 0 0 0 0 0 0`, {FIELDS}", EXAMPLE, id="eight fields"),
    ],
)
def test_bad_cron(text: str, message: str, hint: str) -> None:
    assert expression_problem("cron", text, "UTC") == (message, hint)


# rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("15 minutes", "15 minutes", id="minutes"),
        pytest.param("1 hour", "1 hour", id="one"),
        pytest.param("1 hours", "1 hour", id="one is singular"),
        pytest.param("2 day", "2 days", id="two is plural"),
        pytest.param(" rate( 1  Day ) ", "1 day", id="in brackets"),
    ],
)
def test_rate(text: str, expected: str) -> None:
    assert Schedule(rate=text).expression == f"rate({expected})"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        pytest.param("15m", "did you mean `15 minutes`?", id="short"),
        pytest.param("15", "did you mean `15 minutes`?", id="no unit"),
        pytest.param("every 2 hours", "did you mean `2 hours`?", id="in words"),
        pytest.param("hourly", "did you mean `1 hour`?", id="hourly"),
        pytest.param("1.5 hours", "did you mean `90 minutes`?", id="a part"),
        pytest.param("0.5 days", "did you mean `12 hours`?", id="half a day"),
        pytest.param("1 week", "did you mean `7 days`?", id="a week"),
        pytest.param("90 seconds", "the shortest is `1 minute`", id="seconds"),
        pytest.param("2 months", "write it as a cron: @monthly, or `0 0 1 * *`", id="months"),
        pytest.param("0 minutes", "for example: 15 minutes", id="none"),
        pytest.param("-5 minutes", "for example: 15 minutes", id="less than none"),
        pytest.param("100000 minutes", "did you mean `99999 minutes`?", id="too many"),
        pytest.param(f"{'9' * 400} minutes", "did you mean `99999 minutes`?", id="more than a float"),
        pytest.param(f"{'9' * 400} weeks", "did you mean `99999 days`?", id="weeks of more than a float"),
        pytest.param("0 2 * * *", "for a time of day write cron, like `0 2 * * *`", id="a cron"),
        pytest.param("fast", "for example: 15 minutes", id="a word"),
    ],
)
def test_bad_rate(text: str, hint: str) -> None:
    assert expression_problem("rate", text, "UTC") == (f"found `{text}`, {OFTEN}", hint)
    assert expression_problem("rate", " ", "UTC") == (f"found nothing, {OFTEN}", "for example: 15 minutes")


# at


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2027-01-31T06:00:00", "2027-01-31T06:00:00", id="as AWS writes it"),
        pytest.param("2027-01-31 06:00", "2027-01-31T06:00:00", id="as people do"),
        pytest.param("at(2027-01-31T06:00:00)", "2027-01-31T06:00:00", id="in brackets"),
        pytest.param("2027-10-31T02:30:00", "2027-10-31T02:30:00", id="a time that comes twice"),
    ],
)
def test_at(text: str, expected: str) -> None:
    assert Schedule(at=text, timezone="Europe/Berlin").expression == f"at({expected})"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param("2027-01-31", f"found `2027-01-31`, {ONCE}", "did you mean `2027-01-31T00:00:00`?", id="a day"),
        pytest.param(
            "2027-01-31T06:00:00Z",
            f"found `2027-01-31T06:00:00Z`, {ONCE}",
            "that is `2027-01-31T07:00:00` in Europe/Berlin, which is written without an offset",
            id="UTC",
        ),
        pytest.param(
            "2027-01-31T06:00:00+09:00",
            f"found `2027-01-31T06:00:00+09:00`, {ONCE}",
            "that is `2027-01-30T22:00:00` in Europe/Berlin, which is written without an offset",
            id="another offset",
        ),
        pytest.param(
            "2027-1-31 6:00",
            f"found `2027-1-31 6:00`, {ONCE}",
            "did you mean `2027-01-31T06:00:00`?",
            id="fewer digits",
        ),
        pytest.param(
            "2027-02-31T06:00:00",
            f"found `2027-02-31T06:00:00` (day is out of range for month), {ONCE}",
            "see that the day and the time are ones there are",
            id="31 February",
        ),
        pytest.param(
            "2027-03-28T02:30:00",
            "found `2027-03-28T02:30:00`, which the clocks of Europe/Berlin skip, expected a time that comes",
            "did you mean `2027-03-28T03:30:00`?",
            id="a time that the clocks skip",
        ),
        pytest.param(
            "0001-01-01T00:00:00",
            f"found `0001-01-01T00:00:00`, {FAR}",
            "for example: 2027-01-31T06:00:00",
            id="before the first year of UTC",
        ),
        pytest.param(
            "9999-12-31T23:59:59Z",
            f"found `9999-12-31T23:59:59Z`, {ONCE}",
            "for example: 2027-01-31T06:00:00",
            id="an offset beyond the last year",
        ),
        pytest.param(
            "9" * 5000, f"found `{'9' * 5000}`, {ONCE}", "for example: 2027-01-31T06:00:00", id="too many digits"
        ),
        pytest.param("tomorrow", f"found `tomorrow`, {ONCE}", "for example: 2027-01-31T06:00:00", id="a word"),
        pytest.param("", f"found nothing, {ONCE}", "for example: 2027-01-31T06:00:00", id="nothing"),
    ],
)
def test_bad_at(text: str, message: str, hint: str) -> None:
    assert expression_problem("at", text, "Europe/Berlin") == (message, hint)


def test_at_is_within_the_years_of_utc() -> None:
    last = "9999-12-31T23:59:59"
    problem = (f"found `{last}`, {FAR}", "for example: 2027-01-31T06:00:00")
    found = {zone: expression_problem("at", last, zone) for zone in ("America/New_York", "UTC", "Asia/Tokyo")}
    assert found == {"America/New_York": problem, "UTC": None, "Asia/Tokyo": None}


# kinds, zones


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param("cron", "0 2 * * *", id="cron"),
        pytest.param("rate", "1 hour", id="rate"),
        pytest.param("at", "2027-01-31T06:00", id="at"),
    ],
)
def test_which_of_the_three(kind: Kind, text: str) -> None:
    made = Schedule.model_validate({kind: text})
    assert (made.kind, made.text) == (kind, text)
    assert expression_problem(kind, text, "no zone at all") is None


ZONE = "expected an IANA time zone, like Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("Europe/Berlin", None, id="a zone"),
        pytest.param("UTC", None, id="UTC"),
        pytest.param("Asia/Calcutta", None, id="an older name"),
        pytest.param(
            "europe/berlin", (f"found `europe/berlin`, {ZONE}", "did you mean `Europe/Berlin`?"), id="in lower case"
        ),
        pytest.param("Europe/Berln", (f"found `Europe/Berln`, {ZONE}", "did you mean `Europe/Berlin`?"), id="misspelt"),
        pytest.param("Tokyo", (f"found `Tokyo`, {ZONE}", "did you mean `Asia/Tokyo`?"), id="a city"),
        pytest.param(
            "New York", (f"found `New York`, {ZONE}", "did you mean `America/New_York`?"), id="a city of two words"
        ),
        pytest.param("", (f"found nothing, {ZONE}", "for example: Europe/Berlin, America/New_York, UTC"), id="nothing"),
        pytest.param(
            "qqq", (f"found `qqq`, {ZONE}", "for example: Europe/Berlin, America/New_York, UTC"), id="no place"
        ),
    ],
)
def test_zones(text: str, found: tuple[str, str] | None) -> None:
    assert timezone_problem(text) == found


def test_every_time_zone_has_a_clock() -> None:
    names = available_timezones()
    assert len(names) > 500
    assert {zone_of(name).key for name in names} == names
    assert zone_of("no zone at all").key == "UTC"
