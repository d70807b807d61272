//! Shares what a link carries among the pictures on a viewer's screen, in whole layer steps.
//!
//! What matters most is served first: a pinned picture or a screen, then who speaks, then the others, which get better
//! evenly. Nobody is raised to a better layer before there is some room above it, so that a link that wavers does not
//! make pictures waver.

use crate::producer::Layer;

/// Layers that one picture may be sent in: four sizes with three rates each.
pub(crate) const MAX_STEPS: usize = 12;

/// Share of the link, in percent, that the less important may keep for their lowest layers while the more important are
/// raised.
const RESERVED_PERCENT: u64 = 25;

/// A step up is taken when it leaves this much of the link, in percent, as room for pictures that change, and this much of what
/// it takes for the key frame that it begins with.
const ROOM_PERCENT: u64 = 10;
const KEY_FRAME_PERCENT: u64 = 20;

/// What is sent already is kept while it takes no more than this much of the link too much, in percent, and no queue stands.
const KEPT_PERCENT: u64 = 10;

/// Pictures that get larger begin with key frames, all at once: those that are raised in one go take no more than this much of
/// the link, in percent.
const RAISED_PERCENT: u64 = 50;

/// The lowest layer of the most important picture is kept while it costs no more than this much of the link, in percent: a
/// picture that stutters is better than none.
const LAST_PERCENT: u64 = 150;

/// How much a picture matters to its viewer; the first is the most.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Rank {
    /// Chosen by the viewer, or a screen.
    First,
    /// Who speaks.
    Speaker,
    /// The others.
    Other,
}

/// A layer and what it costs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Step {
    pub(crate) layer: Layer,
    /// Bits a second.
    pub(crate) bit_rate: u64,
}

/// What one picture could be sent in, and what it gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<K> {
    pub(crate) key: K,
    pub(crate) rank: Rank,
    /// Pixels of its tile: of two that are equal otherwise the larger comes first.
    pub(crate) area: u64,
    steps: [Step; MAX_STEPS],
    count: u8,
    /// Number of steps that it has now.
    before: u8,
    /// Number of steps that it gets.
    granted: u8,
    /// Whether it may get more than it has.
    pub(crate) may_raise: bool,
}

impl<K> Claim<K> {
    pub(crate) fn new(key: K, rank: Rank, area: u64) -> Self {
        Self { key, rank, area, steps: [Step::default(); MAX_STEPS], count: 0, before: 0, granted: 0, may_raise: true }
    }

    /// Adds the next better layer. It takes the place of those below that cost no less.
    pub(crate) fn push(&mut self, step: Step) {
        while self.steps().last().is_some_and(|last| last.bit_rate >= step.bit_rate) {
            self.count -= 1;
        }
        if let Some(slot) = self.steps.get_mut(usize::from(self.count)) {
            *slot = step;
            self.count += 1;
        }
    }

    /// Says that it is sent in layers up to `limit` now.
    pub(crate) fn has(&mut self, limit: Layer) {
        self.before = self.steps().iter().filter(|step| step.layer <= limit).count() as u8;
    }

    fn steps(&self) -> &[Step] {
        self.steps.get(..usize::from(self.count)).unwrap_or_default()
    }

    fn cost(&self, granted: u8) -> u64 {
        granted.checked_sub(1).and_then(|index| self.steps.get(usize::from(index))).map_or(0, |step| step.bit_rate)
    }

    /// The best layer that it gets; `None` when it gets nothing.
    pub(crate) fn granted(&self) -> Option<Layer> {
        let index = self.granted.checked_sub(1)?;
        self.steps.get(usize::from(index)).map(|step| step.layer)
    }

    /// Whether it gets all that it could use.
    pub(crate) fn is_satisfied(&self) -> bool {
        self.granted == self.count
    }

    /// Whether it gets less than it has now.
    pub(crate) fn is_lowered(&self) -> bool {
        self.granted < self.before
    }

    /// Whether it is sent now.
    pub(crate) fn is_sent(&self) -> bool {
        self.before > 0
    }

    /// Whether it gets more than it has now.
    pub(crate) fn is_raised(&self) -> bool {
        self.granted > self.before
    }

    /// Bits a second of all that it could use.
    pub(crate) fn desired(&self) -> u64 {
        self.cost(self.count)
    }
}

/// What was shared out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Shared {
    /// Bits a second of all that was granted.
    pub(crate) used: u64,
    /// Bits a second of all that could be used.
    pub(crate) desired: u64,
}

/// What there is to share, in bits a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Budget {
    /// What the link has room for beside sound and repairs.
    pub(crate) bit_rate: u64,
    /// The same by the least that it was believed to carry in the last moment: what is new to a viewer has to fit into that.
    pub(crate) steady: u64,
    /// What it is believed to carry in all.
    pub(crate) link: u64,
    /// Whether anybody may get more than it has.
    pub(crate) may_raise: bool,
    /// Whether a queue stands before the link.
    pub(crate) is_full: bool,
    /// Whether the link never showed that it carries no more.
    pub(crate) untested: bool,
}

/// Shares a budget among `claims`, which are put into the order of their importance.
pub(crate) fn allocate<K>(budget: Budget, claims: &mut [Claim<K>]) -> Shared {
    claims.sort_unstable_by(|a, b| a.rank.cmp(&b.rank).then(b.area.cmp(&a.area)).then(b.before.cmp(&a.before)));
    for claim in claims.iter_mut() {
        claim.granted = 0;
    }
    let mut round = Round { budget, used: 0, raised: 0 };
    let Budget { bit_rate: budget, .. } = budget;
    let mut from = 0;
    while let Some(first) = claims.get(from) {
        let rank = first.rank;
        let end = from + claims.iter().skip(from).take_while(|claim| claim.rank == rank).count();
        let lowest: u64 = claims.iter().skip(end).map(|claim| claim.cost(claim.count.min(1))).sum();
        let reserved = lowest.min(budget * RESERVED_PERCENT / 100);
        if let Some(equals) = claims.get_mut(from..end) {
            round.serve(equals, reserved);
        }
        from = end;
    }
    Shared { used: round.used, desired: claims.iter().map(Claim::desired).sum() }
}

struct Round {
    budget: Budget,
    used: u64,
    /// Bits a second of the layers that are new to their viewer.
    raised: u64,
}

impl Round {
    /// Gives each of equal importance its lowest layer, and then all of them a step in turn.
    fn serve<K>(&mut self, equals: &mut [Claim<K>], reserved: u64) {
        for step in 1..=MAX_STEPS as u8 {
            for claim in equals.iter_mut() {
                // The lowest layer of what matters more comes before that of what matters less.
                let reserved = if step == 1 { 0 } else { reserved };
                if claim.granted + 1 == step && step <= claim.count && self.fits(claim, step, reserved) {
                    self.used += claim.cost(step) - claim.cost(step - 1);
                    if step > claim.before {
                        // What it was raised to in the step before is not sent at all.
                        let in_vain = if step - 1 > claim.before { claim.cost(step - 1) } else { 0 };
                        self.raised += claim.cost(step) - in_vain;
                    }
                    claim.granted = step;
                }
            }
        }
    }

    fn fits<K>(&self, claim: &Claim<K>, step: u8, reserved: u64) -> bool {
        let needed = self.used + claim.cost(step) - claim.cost(step - 1) + reserved;
        let bit_rate = self.budget.bit_rate;
        // The last picture goes last: while nothing speaks against it, and then as long as it nearly fits.
        if step == 1 && self.used == 0 && (self.budget.untested || claim.before > 0) {
            return self.budget.untested || needed <= bit_rate * LAST_PERCENT / 100;
        }
        if step > claim.before {
            let raised = self.raised + claim.cost(step);
            let at_once = self.raised == 0 || raised <= bit_rate * RAISED_PERCENT / 100;
            let may_raise = self.budget.may_raise && claim.may_raise;
            let room = (self.budget.link * ROOM_PERCENT + claim.cost(step) * KEY_FRAME_PERCENT) / 100;
            return may_raise && at_once && needed + room <= bit_rate.min(self.budget.steady);
        }
        // The estimate goes below what the link carries whenever it touched that: what is sent already may stay.
        let kept = if self.budget.is_full { 0 } else { self.budget.link * KEPT_PERCENT / 100 };
        needed <= bit_rate + kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(key: u32, rank: Rank, costs: &[u64]) -> Claim<u32> {
        let mut claim = Claim::new(key, rank, 1000 - u64::from(key));
        for (spatial, &bit_rate) in costs.iter().enumerate() {
            claim.push(Step { layer: Layer { spatial: spatial as u8, temporal: 2 }, bit_rate });
        }
        claim
    }

    fn granted(claims: &[Claim<u32>]) -> Vec<(u32, Option<u8>)> {
        let mut all: Vec<_> = claims.iter().map(|c| (c.key, c.granted().map(|layer| layer.spatial))).collect();
        all.sort_unstable();
        all
    }

    const CAMERA: [u64; 3] = [100, 400, 1200];

    fn share(bit_rate: u64, may_raise: bool, claims: &mut [Claim<u32>]) -> Shared {
        allocate(
            Budget { bit_rate, steady: bit_rate, link: bit_rate, may_raise, is_full: true, untested: false },
            claims,
        )
    }

    /// Shares until nobody gets anything new.
    fn settle(bit_rate: u64, claims: &mut [Claim<u32>]) {
        for _ in 0..20 {
            share(bit_rate, true, claims);
            for claim in claims.iter_mut() {
                claim.before = claim.granted;
            }
        }
    }

    #[test]
    fn not_all_are_raised_at_once() {
        let mut claims = [1, 2, 3, 4].map(|key| claim(key, Rank::Other, &[300]));
        share(1400, true, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(0)), (2, Some(0)), (3, None), (4, None)]);
        settle(1400, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(0)), (2, Some(0)), (3, Some(0)), (4, Some(0))]);
    }

    #[test]
    fn equals_get_better_evenly() {
        let mut claims = [1, 2, 3].map(|key| claim(key, Rank::Other, &CAMERA));
        settle(1440, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(1)), (2, Some(1)), (3, Some(1))]);
        settle(800, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(1)), (2, Some(0)), (3, Some(0))]);
    }

    #[test]
    fn what_matters_most_is_served_first_and_leaves_the_others_their_lowest_layer() {
        let mut claims =
            [claim(1, Rank::Other, &CAMERA), claim(2, Rank::First, &CAMERA), claim(3, Rank::Speaker, &CAMERA)];
        settle(1900, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(0)), (2, Some(2)), (3, Some(1))]);
        settle(1600, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(0)), (2, Some(2)), (3, Some(0))]);
        share(150, true, &mut claims);
        assert_eq!(granted(&claims), [(1, None), (2, Some(0)), (3, None)]);
    }

    #[test]
    fn nobody_is_raised_without_room_or_permission_and_nobody_lowered_without_need() {
        let mut claims = [claim(1, Rank::Other, &CAMERA)];
        share(410, true, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(0))], "410 leaves no room above 400");
        claims[0].has(Layer { spatial: 1, temporal: 2 });
        share(410, true, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(1))], "it had that already");
        share(5000, false, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(1))]);
        share(390, false, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(0))]);
    }

    #[test]
    fn the_last_picture_goes_last() {
        let mut claims = [claim(1, Rank::Other, &[500]), claim(2, Rank::Other, &[500])];
        allocate(
            Budget { bit_rate: 300, steady: 300, link: 300, may_raise: false, is_full: true, untested: true },
            &mut claims,
        );
        assert_eq!(granted(&claims), [(1, Some(0)), (2, None)], "nothing speaks against it");
        share(400, true, &mut claims);
        assert_eq!(granted(&claims), [(1, None), (2, None)]);
        claims[0].has(Layer::HIGHEST);
        share(400, true, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(0)), (2, None)]);
        share(300, true, &mut claims);
        assert_eq!(granted(&claims), [(1, None), (2, None)]);
    }

    #[test]
    fn a_better_layer_that_costs_no_more_is_taken_at_once() {
        let mut claims = [claim(1, Rank::Other, &[300, 250, 900])];
        share(300, true, &mut claims);
        assert_eq!(granted(&claims), [(1, None)], "250 of 300 leaves no room for the key frame");
        share(340, true, &mut claims);
        assert_eq!(granted(&claims), [(1, Some(1))]);
    }

    proptest! {
        #[test]
        fn no_more_is_shared_than_there_is(
            budget in 0_u64..10_000,
            may_raise: bool,
            costs in proptest::collection::vec((0_u8..3, proptest::collection::vec(1_u64..3000, 0..5), 0_u8..4), 0..60),
        ) {
            let mut claims: Vec<_> = costs.iter().enumerate().map(|(key, (rank, costs, has))| {
                let rank = [Rank::First, Rank::Speaker, Rank::Other][usize::from(*rank)];
                let mut sorted = costs.clone();
                sorted.sort_unstable();
                let mut claim = claim(key as u32, rank, &sorted);
                if let Some(spatial) = has.checked_sub(1) {
                    claim.has(Layer { spatial, temporal: 2 });
                }
                claim
            }).collect();
            let shared = share(budget, may_raise, &mut claims);
            let used: u64 = claims.iter().map(|claim| claim.cost(claim.granted)).sum();
            prop_assert_eq!(used, shared.used);
            prop_assert!(used <= budget * LAST_PERCENT / 100);
            prop_assert!(shared.used <= shared.desired);
            prop_assert!(claims.iter().all(|claim| may_raise || claim.granted <= claim.before));
        }
    }
}
