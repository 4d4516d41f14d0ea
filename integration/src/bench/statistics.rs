//! Medians and spreads of a few rounds.

/// What several rounds came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Summary {
    /// The middle one, or the mean of the two middle ones.
    pub(super) median: f64,
    /// The least.
    pub(super) low: f64,
    /// The greatest.
    pub(super) high: f64,
}

impl Summary {
    /// Of nothing, it is all zero.
    pub(super) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        let last = figures.len().saturating_sub(1);
        Self {
            median: f64::midpoint(at(last / 2), at(figures.len() / 2)),
            low: at(0),
            high: at(last),
        }
    }

    /// Distance between the extremes in percent of the median.
    pub(super) fn spread_percent(self) -> f64 {
        if self.median == 0.0 {
            return 0.0;
        }
        (self.high - self.low) / self.median * 100.0
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;

    #[test]
    fn the_median_of_few() {
        assert_eq!(Summary::of([]), Summary::default());
        assert_eq!(Summary::of([3.0]).median, 3.0);
        assert_eq!(Summary::of([9.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 8.0]).median, 3.0);
    }

    #[test]
    fn the_spread_is_relative() {
        assert_eq!(Summary::of([9.0, 10.0, 12.0]).spread_percent(), 30.0);
        assert_eq!(Summary::of([]).spread_percent(), 0.0);
    }
}
