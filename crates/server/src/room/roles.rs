//! Who may do what to whom: one table, from which the check and its test come.

use crate::signal::messages::{Action, Role};

/// Whom a host and a moderator may do something to. Members and guests do nothing to anybody.
struct Rule {
    action: Action,
    host: &'static [Role],
    moderator: &'static [Role],
}

const ALL_BUT_HOSTS: &[Role] = &[Role::Moderator, Role::Member, Role::Guest];
const LED: &[Role] = &[Role::Member, Role::Guest];
const NOBODY: &[Role] = &[];

const RULES: &[Rule] = &[
    Rule { action: Action::Mute, host: ALL_BUT_HOSTS, moderator: LED },
    Rule { action: Action::StopVideo, host: ALL_BUT_HOSTS, moderator: LED },
    Rule { action: Action::StopScreen, host: ALL_BUT_HOSTS, moderator: LED },
    Rule { action: Action::Kick, host: ALL_BUT_HOSTS, moderator: LED },
    Rule { action: Action::Ban, host: ALL_BUT_HOSTS, moderator: LED },
    Rule { action: Action::Promote, host: LED, moderator: NOBODY },
    Rule { action: Action::Demote, host: &[Role::Moderator], moderator: NOBODY },
    Rule { action: Action::TransferHost, host: &[Role::Moderator, Role::Member], moderator: NOBODY },
];

/// Whether somebody keeps a room in order.
pub(crate) fn is_staff(role: Role) -> bool {
    matches!(role, Role::Host | Role::Moderator)
}

/// Whether somebody may do this to somebody who sits in the room.
pub(super) fn may(actor: Role, action: Action, target: Role) -> bool {
    RULES.iter().filter(|rule| rule.action == action).any(|rule| match actor {
        Role::Host => rule.host.contains(&target),
        Role::Moderator => rule.moderator.contains(&target),
        Role::Member | Role::Guest => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLES: [Role; 4] = [Role::Host, Role::Moderator, Role::Member, Role::Guest];

    /// Rows: who is it done to, host to guest; columns: who does it. As a person would write it down.
    const MATRIX: &[(Action, [&str; 4])] = &[
        (Action::Mute, ["....", "h...", "hm..", "hm.."]),
        (Action::StopVideo, ["....", "h...", "hm..", "hm.."]),
        (Action::StopScreen, ["....", "h...", "hm..", "hm.."]),
        (Action::Kick, ["....", "h...", "hm..", "hm.."]),
        (Action::Ban, ["....", "h...", "hm..", "hm.."]),
        (Action::Promote, ["....", "....", "h...", "h..."]),
        (Action::Demote, ["....", "h...", "....", "...."]),
        (Action::TransferHost, ["....", "h...", "h...", "...."]),
    ];

    #[test]
    fn everybody_may_do_what_the_matrix_says_and_nothing_else() {
        assert_eq!(MATRIX.len(), RULES.len());
        for (action, rows) in MATRIX {
            for (target, row) in ROLES.iter().zip(rows) {
                for (actor, mark) in ROLES.iter().zip(row.chars()) {
                    assert_eq!(may(*actor, *action, *target), mark != '.', "{actor:?} {action:?} {target:?}");
                }
            }
        }
    }
}
