//! Study by days, weeks and months, and in a row. Days are those of a time zone: they have 23 or 25 hours where the time
//! changes. Told the time; no database.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::study_messages::StudyPeriod;

/// A day with less study is none for a streak.
const STREAK_DAY_MS: u64 = 60_000;

/// Uninterrupted study, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Piece {
    pub(super) started_at_ms: i64,
    pub(super) ended_at_ms: i64,
    pub(super) is_focus: bool,
}

/// What was studied.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Sum {
    pub(super) focus_ms: u64,
    pub(super) free_ms: u64,
}

impl Sum {
    pub(super) fn total_ms(self) -> u64 {
        self.focus_ms + self.free_ms
    }

    fn add(&mut self, other: Self) {
        self.focus_ms += other.focus_ms;
        self.free_ms += other.free_ms;
    }
}

/// A day of a time zone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Day {
    pub(super) date: Date,
    starts_at_ms: i64,
    ends_at_ms: i64,
    pub(super) sum: Sum,
}

/// The moment at which a day begins.
pub(super) fn start_of(date: Date, zone: &TimeZone) -> Result<i64, jiff::Error> {
    Ok(date.to_zoned(zone.clone())?.timestamp().as_millisecond())
}

/// The day of a moment.
pub(super) fn date_of(at_ms: i64, zone: &TimeZone) -> Result<Date, jiff::Error> {
    Ok(Timestamp::from_millisecond(at_ms)?.to_zoned(zone.clone()).date())
}

/// All days that have something of the time between these moments, cut to it, with what was studied on each.
pub(super) fn days(from_ms: i64, to_ms: i64, zone: &TimeZone, pieces: &[Piece]) -> Result<Vec<Day>, jiff::Error> {
    let mut days = Vec::new();
    let mut date = date_of(from_ms, zone)?;
    let mut starts_at_ms = from_ms;
    while starts_at_ms < to_ms {
        let next = date.tomorrow()?;
        let ends_at_ms = start_of(next, zone)?.min(to_ms);
        days.push(Day { date, starts_at_ms, ends_at_ms, sum: Sum::default() });
        (date, starts_at_ms) = (next, ends_at_ms);
    }
    for piece in pieces {
        // What goes past midnight is of both days.
        let first = days.partition_point(|day| day.ends_at_ms <= piece.started_at_ms);
        for day in days[first..].iter_mut().take_while(|day| day.starts_at_ms < piece.ended_at_ms) {
            let ms = piece.ended_at_ms.min(day.ends_at_ms) - piece.started_at_ms.max(day.starts_at_ms);
            let sum = if piece.is_focus { &mut day.sum.focus_ms } else { &mut day.sum.free_ms };
            *sum += u64::try_from(ms).unwrap_or(0);
        }
    }
    Ok(days)
}

/// The Monday of a day's week.
pub(super) fn monday_of(date: Date) -> Date {
    let since = i64::from(date.weekday().to_monday_zero_offset());
    // The calendar's first day is a Monday.
    date.saturating_sub(jiff::Span::new().days(since))
}

/// Days, each in the period that begins on the day that `start` says.
pub(super) fn periods(days: &[Day], start: impl Fn(Date) -> Date) -> Vec<StudyPeriod> {
    let mut sums: Vec<(Date, Sum)> = Vec::new();
    for day in days {
        let start = start(day.date);
        match sums.last_mut() {
            Some((last, sum)) if *last == start => sum.add(day.sum),
            _ => sums.push((start, day.sum)),
        }
    }
    let period = |(start, sum): (Date, Sum)| StudyPeriod {
        start: start.to_string(),
        total_ms: sum.total_ms(),
        focus_ms: sum.focus_ms,
        free_ms: sum.free_ms,
    };
    sums.into_iter().map(period).collect()
}

/// What was studied on all of them.
pub(super) fn sum(days: &[Day]) -> Sum {
    let mut sum = Sum::default();
    days.iter().for_each(|day| sum.add(day.sum));
    sum
}

/// Days of study in a row, until now and the most there were. The last of `days` is today, which can still become one. Bit 0 of
/// `rest_days` is Monday: rest days without study end nothing.
pub(super) fn streaks(days: &[Day], rest_days: i64) -> (u32, u32) {
    let (mut current, mut longest) = (0, 0);
    for (index, day) in days.iter().enumerate() {
        let is_rest_day = rest_days >> day.date.weekday().to_monday_zero_offset() & 1 == 1;
        let is_today = index + 1 == days.len();
        if day.sum.total_ms() >= STREAK_DAY_MS {
            current += 1;
            longest = longest.max(current);
        } else if !is_rest_day && !is_today {
            current = 0;
        }
    }
    (current, longest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn focus(from: &str, to: &str) -> Piece {
        Piece { started_at_ms: ms(from), ended_at_ms: ms(to), is_focus: true }
    }

    fn by_day(from: Date, to: Date, pieces: &[Piece]) -> Vec<Day> {
        let (from, to) = (start_of(from, &berlin()).unwrap(), start_of(to, &berlin()).unwrap());
        days(from, to, &berlin(), pieces).unwrap()
    }

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn what_goes_past_midnight_is_of_both_days() {
        let pieces = [focus("2026-11-23T23:30:00+01:00", "2026-11-24T00:20:00+01:00")];
        let days = by_day(date("2026-11-22"), date("2026-11-26"), &pieces);
        let minutes: Vec<_> = days.iter().map(|day| day.sum.focus_ms / 60_000).collect();
        assert_eq!(minutes, [0, 30, 20, 0]);
        assert_eq!(sum(&days), Sum { focus_ms: 50 * 60_000, free_ms: 0 });
    }

    #[test]
    fn days_have_23_and_25_hours_where_the_time_changes() {
        for (changes, next, hours) in [("2026-03-29", "2026-03-30", 23), ("2026-10-25", "2026-10-26", 25)] {
            let days = by_day(date(changes), date(next), &[]);
            assert_eq!((days.len(), days[0].ends_at_ms - days[0].starts_at_ms), (1, hours * HOUR));
        }
        // One hour of real time, from 1:30 to 3:30 by the clock on the wall.
        let spring = focus("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00");
        // Two and a half, though the wall says one and a half.
        let autumn = focus("2026-10-25T01:30:00+02:00", "2026-10-25T03:00:00+01:00");
        let whole = Piece {
            started_at_ms: ms("2026-10-25T00:00:00+02:00"),
            ended_at_ms: ms("2026-10-26T00:00:00+01:00"),
            is_focus: false,
        };
        let days = by_day(date("2026-03-29"), date("2026-10-27"), &[spring, autumn, whole]);
        assert_eq!(days[0].sum.focus_ms, HOUR as u64);
        let changed = days.iter().find(|day| day.date == date("2026-10-25")).unwrap();
        assert_eq!(changed.sum, Sum { focus_ms: 5 * HOUR as u64 / 2, free_ms: 25 * HOUR as u64 });
        assert_eq!(days.last().unwrap().sum, Sum::default());
    }

    #[test]
    fn the_same_moment_is_another_day_elsewhere() {
        let piece = focus("2026-11-23T23:30:00Z", "2026-11-23T23:40:00Z");
        for (zone, day) in [("UTC", "2026-11-23"), ("Europe/Berlin", "2026-11-24"), ("America/New_York", "2026-11-23")]
        {
            let zone = TimeZone::get(zone).unwrap();
            assert_eq!(date_of(piece.started_at_ms, &zone).unwrap(), date(day));
        }
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        let days = by_day(
            date("2026-10-30"),
            date("2026-11-10"),
            &[
                focus("2026-11-01T12:00:00Z", "2026-11-01T13:00:00Z"),
                focus("2026-11-02T12:00:00Z", "2026-11-02T14:00:00Z"),
            ],
        );
        let named = |periods: Vec<StudyPeriod>| -> Vec<_> {
            periods.into_iter().map(|period| (period.start, period.total_ms / HOUR as u64)).collect()
        };
        let of = |start: &str, hours| (start.to_owned(), hours);
        assert_eq!(named(periods(&days, monday_of)), [of("2026-10-26", 1), of("2026-11-02", 2), of("2026-11-09", 0)]);
        assert_eq!(named(periods(&days, Date::first_of_month)), [of("2026-10-01", 0), of("2026-11-01", 3)]);
    }

    /// A letter for each day, until today: x is study, a dot none. The first is a Monday.
    fn streaks_of(pattern: &str, rest_days: i64) -> (u32, u32) {
        let first = start_of(date("2026-06-01"), &berlin()).unwrap();
        let last = first + pattern.len() as i64 * 24 * HOUR;
        let noon = |day: usize| first + day as i64 * 24 * HOUR + 12 * HOUR;
        let studied = pattern.bytes().enumerate().filter(|(_, day)| *day == b'x');
        let pieces: Vec<_> = studied
            .map(|(day, _)| Piece { started_at_ms: noon(day), ended_at_ms: noon(day) + HOUR, is_focus: true })
            .collect();
        streaks(&days(first, last, &berlin(), &pieces).unwrap(), rest_days)
    }

    #[test]
    fn a_streak_ends_with_a_day_without_study_but_not_with_today_or_a_day_of_rest() {
        let weekend = 0b110_0000;
        for (pattern, rest_days, expected) in [
            ("", 0, (0, 0)),
            (".......", 0, (0, 0)),
            ("xxx", 0, (3, 3)),
            ("xxx.", 0, (3, 3)),
            ("xxx..", 0, (0, 3)),
            ("xxxx.xx", 0, (2, 4)),
            ("xxxxx..xxx", weekend, (8, 8)),
            ("xxxxxx.xx", weekend, (8, 8)),
            ("xxxx...xxx", weekend, (3, 4)),
            ("xxxxx...", weekend, (5, 5)),
            ("xxxxx....", weekend, (0, 5)),
            ("x..", 127, (1, 1)),
        ] {
            assert_eq!(streaks_of(pattern, rest_days), expected, "{pattern}");
        }
    }

    #[test]
    fn a_moment_of_study_makes_no_day_of_a_streak() {
        let piece = focus("2026-06-01T12:00:00Z", "2026-06-01T12:00:59Z");
        assert_eq!(streaks(&by_day(date("2026-06-01"), date("2026-06-02"), &[piece]), 0), (0, 0));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_added_between_days(
            starts in prop::collection::vec((0_i64..40 * 24 * 60, 1_i64..360, any::<bool>()), 0..50),
            zone in prop::sample::select(vec!["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia"])
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let from = start_of(date("2026-03-10"), &zone).unwrap();
            let pieces: Vec<_> = starts.iter().map(|(start, length, is_focus)| {
                let started_at_ms = from + start * 60_000;
                Piece { started_at_ms, ended_at_ms: started_at_ms + length * 60_000, is_focus: *is_focus }
            }).collect();
            let days = days(from, from + 41 * 24 * HOUR, &zone, &pieces).unwrap();
            let expected: i64 = starts.iter().map(|(_, length, _)| length * 60_000).sum();
            prop_assert_eq!(sum(&days).total_ms(), expected as u64);
            let months: u64 = periods(&days, Date::first_of_month).iter().map(|period| period.total_ms).sum();
            prop_assert_eq!(months, expected as u64);
        }
    }
}
