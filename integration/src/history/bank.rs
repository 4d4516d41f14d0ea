//! Money moves between accounts: none comes into being, none is lost, and whatever is booked was
//! sent, once.

use std::collections::{BTreeMap, BTreeSet};

use super::Fate;

/// One transfer, as its client remembers it.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Unlike any other's.
    pub id: u64,
    /// The account that pays.
    pub from: usize,
    /// The account that is paid.
    pub to: usize,
    /// How much.
    pub amount: i64,
    /// What became of it.
    pub fate: Fate,
}

/// All that happened at a bank.
#[derive(Clone, Debug, Default)]
pub struct Bank {
    /// What every account began with.
    pub opening: i64,
    /// What was sent.
    pub transfers: Vec<Transfer>,
    /// Balances of all accounts as single reads saw them.
    pub snapshots: Vec<Vec<i64>>,
    /// Balances at the end.
    pub balances: Vec<i64>,
    /// Ids of the transfers that are booked at the end.
    pub booked: Vec<u64>,
}

impl Bank {
    /// Everything that no correct bank could have shown.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        self.sums(&mut faults);
        self.bookings(&mut faults);
        self.accounts(&mut faults);
        faults
    }

    fn sums(&self, faults: &mut Vec<String>) {
        let accounts = i64::try_from(self.balances.len()).unwrap_or(i64::MAX);
        let total = self.opening.saturating_mul(accounts);
        for seen in self.snapshots.iter().chain([&self.balances]) {
            if seen.iter().sum::<i64>() != total || seen.len() != self.balances.len() {
                faults.push(format!("a read saw {seen:?}, which isn't {total} in all"));
            }
        }
    }

    fn bookings(&self, faults: &mut Vec<String>) {
        let booked: BTreeSet<u64> = self.booked.iter().copied().collect();
        if booked.len() != self.booked.len() {
            faults.push("a transfer is booked twice".to_owned());
        }
        let sent: BTreeSet<u64> = self.transfers.iter().map(|sent| sent.id).collect();
        for id in booked.difference(&sent) {
            faults.push(format!("transfer {id} is booked and was never sent"));
        }
        for transfer in &self.transfers {
            match (transfer.fate, booked.contains(&transfer.id)) {
                (Fate::Acknowledged, false) => {
                    faults.push(format!("acknowledged and lost: {transfer:?}"));
                }
                (Fate::Failed, true) => faults.push(format!("failed and booked: {transfer:?}")),
                _ => {}
            }
        }
    }

    /// The balances are what the bookings make of them, so that a transfer happened wholly.
    fn accounts(&self, faults: &mut Vec<String>) {
        let booked: BTreeSet<u64> = self.booked.iter().copied().collect();
        let mut due: BTreeMap<usize, i64> = BTreeMap::new();
        for transfer in self.transfers.iter().filter(|one| booked.contains(&one.id)) {
            *due.entry(transfer.from).or_default() -= transfer.amount;
            *due.entry(transfer.to).or_default() += transfer.amount;
        }
        for (account, balance) in self.balances.iter().enumerate() {
            let expected = self.opening + due.get(&account).copied().unwrap_or_default();
            if *balance != expected {
                faults.push(format!(
                    "account {account} has {balance}; by its bookings it has {expected}"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(id: u64, fate: Fate) -> Transfer {
        Transfer {
            id,
            from: 0,
            to: 1,
            amount: 5,
            fate,
        }
    }

    fn bank(fate: Fate, balances: [i64; 2], booked: &[u64]) -> Bank {
        Bank {
            opening: 10,
            transfers: vec![transfer(1, fate)],
            snapshots: vec![vec![10, 10], vec![5, 15]],
            balances: balances.to_vec(),
            booked: booked.to_vec(),
        }
    }

    #[test]
    fn what_is_unknown_may_have_happened_or_not_but_wholly() {
        assert!(bank(Fate::Unknown, [5, 15], &[1]).faults().is_empty());
        assert!(bank(Fate::Unknown, [10, 10], &[]).faults().is_empty());
        assert!(!bank(Fate::Unknown, [5, 15], &[]).faults().is_empty());
        assert!(!bank(Fate::Unknown, [10, 10], &[1]).faults().is_empty());
    }

    #[test]
    fn what_was_acknowledged_is_booked_once() {
        assert!(bank(Fate::Acknowledged, [5, 15], &[1]).faults().is_empty());
        assert!(!bank(Fate::Acknowledged, [10, 10], &[]).faults().is_empty());
        assert!(
            !bank(Fate::Acknowledged, [0, 20], &[1, 1])
                .faults()
                .is_empty()
        );
    }

    #[test]
    fn what_failed_or_was_never_sent_is_not_booked() {
        assert!(!bank(Fate::Failed, [5, 15], &[1]).faults().is_empty());
        assert!(!bank(Fate::Failed, [10, 10], &[7]).faults().is_empty());
        assert!(bank(Fate::Failed, [10, 10], &[]).faults().is_empty());
    }

    #[test]
    fn every_read_sees_all_the_money() {
        let mut torn = bank(Fate::Acknowledged, [5, 15], &[1]);
        torn.snapshots.push(vec![5, 10]);
        assert_eq!(torn.faults().len(), 1);
    }
}
