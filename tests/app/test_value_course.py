from __future__ import annotations

from lineshaft.app.value_course import ValueCourse


def test_a_course_keeps_the_last_value_of_every_five_seconds_for_half_an_hour() -> None:
    course = ValueCourse()
    for second in range(0, 4000):
        course.take(float(second), float(second))
    times, values = course.points()
    assert times == values
    assert len(times) == 360
    assert times[-2:] == [3994.0, 3999.0]
    assert times[0] == 3999.0 - 359 * 5


def test_what_is_older_than_the_last_is_left_out() -> None:
    course = ValueCourse()
    for second, value in ((12.0, 1.0), (11.0, 2.0), (3.0, 3.0), (14.0, 4.0)):
        course.take(second, value)
    assert course.points() == ([14.0], [4.0])
