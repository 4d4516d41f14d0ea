//! Lists that only grow. Because an element is appended once and stays, each read tells which
//! transactions came before it, and so the order of all transactions can be checked against what
//! snapshot isolation allows.
//!
//! Checked, over transactions that were acknowledged and what the lists hold in the end:
//! - an acknowledged append is there once, a failed one never, an unknown one with all of its
//!   transaction or not at all;
//! - every read is a beginning of the list at its end, plus what its own transaction appended, and
//!   ends where a transaction ends;
//! - a read sees all that was acknowledged before its transaction began;
//! - no transactions come before themselves by what they wrote and read, nor before what they had
//!   not read yet.

use std::collections::{BTreeMap, BTreeSet};

use super::Fate;

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Appends an element, unlike any other, to a list.
    Append(u32, u64),
    /// Reads a list, and what it saw.
    Read(u32, Vec<u64>),
}

/// A transaction as its client remembers it.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// Before its first statement was sent, on a clock that all clients share.
    pub began: u64,
    /// After its end was told.
    pub ended: u64,
    /// In the order in which they were sent.
    pub steps: Vec<Step>,
    /// What became of it.
    pub fate: Fate,
}

impl Transaction {
    fn appended(&self, list: u32) -> Vec<u64> {
        let steps = self.steps.iter();
        let elements = steps.filter_map(|step| match step {
            Step::Append(to, element) if *to == list => Some(*element),
            Step::Append(..) | Step::Read(..) => None,
        });
        elements.collect()
    }

    fn lists(&self) -> BTreeSet<u32> {
        let steps = self.steps.iter();
        let lists = steps.filter_map(|step| match step {
            Step::Append(list, _) => Some(*list),
            Step::Read(..) => None,
        });
        lists.collect()
    }
}

/// All that happened to the lists.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// What was sent.
    pub transactions: Vec<Transaction>,
    /// The lists at the end.
    pub end: BTreeMap<u32, Vec<u64>>,
}

/// A transaction by its place in the history.
type Index = usize;

/// What every read that begins after `ended` must see: the element and all before it.
struct Floor {
    ended: u64,
    position: usize,
    element: u64,
}

/// What the checks share.
struct Check<'a> {
    lists: &'a Lists,
    /// Whose an element is.
    writers: BTreeMap<u64, Index>,
    /// By list, both times and positions ascending.
    floors: BTreeMap<u32, Vec<Floor>>,
    faults: Vec<String>,
}

impl Lists {
    /// Everything that no database of snapshot isolation could have shown.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut check = Check {
            lists: self,
            writers: BTreeMap::new(),
            floors: self
                .end
                .keys()
                .map(|list| (*list, self.floors(*list)))
                .collect(),
            faults: Vec::new(),
        };
        for (index, transaction) in self.transactions.iter().enumerate() {
            for list in transaction.lists() {
                for element in transaction.appended(list) {
                    check.writers.insert(element, index);
                }
            }
        }
        check.elements();
        check.transactions();
        let reads = check.reads();
        check.order(&reads);
        check.faults
    }

    fn floors(&self, list: u32) -> Vec<Floor> {
        let places = self.list(list).iter().enumerate();
        let places: BTreeMap<u64, usize> = places.map(|(at, element)| (*element, at)).collect();
        let done = self.transactions.iter();
        let done = done.filter(|one| one.fate == Fate::Acknowledged);
        let mut floors: Vec<Floor> = done
            .flat_map(|one| {
                one.appended(list)
                    .into_iter()
                    .map(|element| (one.ended, element))
            })
            .filter_map(|(ended, element)| {
                let position = *places.get(&element)?;
                Some(Floor {
                    ended,
                    position,
                    element,
                })
            })
            .collect();
        floors.sort_by_key(|floor| floor.ended);
        let mut highest = (0, 0);
        for floor in &mut floors {
            highest = highest.max((floor.position, floor.element));
            (floor.position, floor.element) = highest;
        }
        floors
    }

    fn list(&self, list: u32) -> &[u64] {
        self.end.get(&list).map_or(&[], Vec::as_slice)
    }
}

/// A read of an acknowledged transaction, without what the transaction itself had appended.
struct Read {
    reader: Index,
    list: u32,
    length: usize,
}

impl Check<'_> {
    /// Each element of the lists was sent to that list, once, and didn't fail.
    fn elements(&mut self) {
        let mut seen = BTreeSet::new();
        for (list, elements) in &self.lists.end {
            for element in elements {
                if !seen.insert(*element) {
                    self.faults
                        .push(format!("element {element} is there twice"));
                }
                let writer = self.writers.get(element);
                let writer = writer.and_then(|index| self.lists.transactions.get(*index));
                let Some(writer) = writer.filter(|one| one.appended(*list).contains(element))
                else {
                    let fault = format!("list {list} has {element}, which nobody sent to it");
                    self.faults.push(fault);
                    continue;
                };
                if writer.fate == Fate::Failed {
                    self.faults
                        .push(format!("{element} failed and is in list {list}"));
                }
            }
        }
    }

    /// Each transaction is there wholly, side by side and in order, or not at all.
    fn transactions(&mut self) {
        for transaction in &self.lists.transactions {
            let mut there = BTreeSet::new();
            for list in transaction.lists() {
                let sent = transaction.appended(list);
                let stored = self.lists.list(list);
                let whole = stored.windows(sent.len()).any(|part| part == sent);
                let some = sent.iter().any(|element| stored.contains(element));
                if some && !whole {
                    let fault = format!("{sent:?} is in list {list} torn or out of order");
                    self.faults.push(fault);
                }
                there.insert(some);
            }
            if there.len() > 1 {
                self.faults.push(format!("half there: {transaction:?}"));
            }
            if transaction.fate == Fate::Acknowledged && there.contains(&false) {
                self.faults
                    .push(format!("acknowledged and lost: {transaction:?}"));
            }
        }
    }

    fn reads(&mut self) -> Vec<Read> {
        let mut reads = Vec::new();
        for (reader, transaction) in self.lists.transactions.iter().enumerate() {
            if transaction.fate != Fate::Acknowledged {
                continue;
            }
            let mut own: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
            for step in &transaction.steps {
                match step {
                    Step::Append(list, element) => own.entry(*list).or_default().push(*element),
                    Step::Read(list, seen) => {
                        let own = own.get(list).map_or(&[][..], Vec::as_slice);
                        let Some(others) = seen.strip_suffix(own) else {
                            let fault = format!("list {list} read as {seen:?} without {own:?}");
                            self.faults.push(fault);
                            continue;
                        };
                        if !self.lists.list(*list).starts_with(others) {
                            let fault = format!(
                                "list {list} read as {others:?}, which isn't how it begins"
                            );
                            self.faults.push(fault);
                            continue;
                        }
                        self.read(transaction, *list, others);
                        reads.push(Read {
                            reader,
                            list: *list,
                            length: others.len(),
                        });
                    }
                }
            }
        }
        reads
    }

    /// Where a read ends, and that it isn't older than it may be.
    fn read(&mut self, reader: &Transaction, list: u32, seen: &[u64]) {
        let last = seen.last().and_then(|element| self.writers.get(element));
        let last = last.and_then(|index| self.lists.transactions.get(*index));
        if let Some(writer) = last
            && writer.appended(list).last() != seen.last()
        {
            self.faults
                .push(format!("list {list} was read in the middle of {writer:?}"));
        }
        let floor = self.floors.get(&list).map_or(&[][..], Vec::as_slice);
        let known = floor.partition_point(|floor| floor.ended < reader.began);
        if let Some(floor) = known.checked_sub(1).and_then(|at| floor.get(at))
            && floor.position >= seen.len()
        {
            let missed = floor.element;
            self.faults.push(format!(
                "a read of list {list} missed {missed}, acknowledged before"
            ));
        }
    }

    /// Who must come before whom, by what was written and read.
    fn order(&mut self, reads: &[Read]) {
        let mut order = Order::new(self.lists.transactions.len());
        for (list, elements) in &self.lists.end {
            let mut before = None;
            for (position, element) in elements.iter().enumerate() {
                let Some(writer) = self.writers.get(element).copied() else {
                    continue;
                };
                if let Some(before) = before {
                    order.precedes(before, writer);
                }
                order.wrote(writer, *list, position);
                before = Some(writer);
            }
        }
        for read in reads {
            let list = self.lists.list(read.list);
            let last = read.length.checked_sub(1).and_then(|at| list.get(at));
            if let Some(writer) = last.and_then(|element| self.writers.get(element)) {
                order.precedes(*writer, read.reader);
            }
        }
        let (known, circle) = order.propagated();
        if let Some(one) = circle.first() {
            let named = self.lists.transactions.get(*one);
            let fault = format!("{} come before themselves, such as {named:?}", circle.len());
            self.faults.push(fault);
        }
        for read in reads {
            // What the reader overtook: nothing of it may be known to have come before the reader.
            let list = self.lists.list(read.list);
            let next = list.get(read.length);
            let by_itself = next.and_then(|it| self.writers.get(it)) == Some(&read.reader);
            let highest = known
                .get(read.reader)
                .and_then(|known| known.get(&read.list));
            if next.is_some() && !by_itself && highest.is_some_and(|at| *at >= read.length) {
                let named = self.lists.transactions.get(read.reader);
                let fault = format!("list {} came before what it read: {named:?}", read.list);
                self.faults.push(fault);
            }
        }
    }
}

/// The highest position of each list that is known to have been written before a transaction. All
/// lower ones were, too: what a list holds was written in its order.
type Known = BTreeMap<u32, usize>;

/// A graph of transactions that come before each other.
struct Order {
    after: Vec<BTreeSet<Index>>,
    before: Vec<usize>,
    wrote: Vec<Known>,
}

impl Order {
    fn new(transactions: usize) -> Self {
        Self {
            after: vec![BTreeSet::new(); transactions],
            before: vec![0; transactions],
            wrote: vec![Known::new(); transactions],
        }
    }

    fn precedes(&mut self, one: Index, other: Index) {
        if one == other {
            return;
        }
        let new = self
            .after
            .get_mut(one)
            .is_some_and(|after| after.insert(other));
        if let (true, Some(count)) = (new, self.before.get_mut(other)) {
            *count += 1;
        }
    }

    fn wrote(&mut self, writer: Index, list: u32, position: usize) {
        if let Some(wrote) = self.wrote.get_mut(writer) {
            raise(wrote, list, position);
        }
    }

    /// What each knows of, in an order in which nobody comes before who it comes after; and those
    /// for whom there is no such order.
    fn propagated(mut self) -> (Vec<Known>, Vec<Index>) {
        let mut known = vec![Known::new(); self.after.len()];
        let free = self
            .before
            .iter()
            .enumerate()
            .filter(|(_, count)| **count == 0);
        let mut free: Vec<Index> = free.map(|(index, _)| index).collect();
        while let Some(index) = free.pop() {
            let mut told = known.get(index).cloned().unwrap_or_default();
            for (list, position) in self.wrote.get(index).into_iter().flatten() {
                raise(&mut told, *list, *position);
            }
            for next in self.after.get(index).into_iter().flatten() {
                for (list, position) in &told {
                    if let Some(known) = known.get_mut(*next) {
                        raise(known, *list, *position);
                    }
                }
                if let Some(count) = self.before.get_mut(*next) {
                    *count -= 1;
                    if *count == 0 {
                        free.push(*next);
                    }
                }
            }
        }
        let stuck = self
            .before
            .iter()
            .enumerate()
            .filter(|(_, count)| **count > 0);
        let stuck = stuck.map(|(index, _)| index).collect();
        (known, stuck)
    }
}

fn raise(known: &mut Known, list: u32, position: usize) {
    let highest = known.entry(list).or_insert(position);
    *highest = position.max(*highest);
}

#[cfg(test)]
mod tests;
