//! Finding an account by the names that a client wrote.

use std::collections::HashMap;
use std::fmt;

use crate::crypto::upcase;

/// Accounts by name: for each something, a `T`, that leads to it or is it.
///
/// Names compare without case, as Windows compares them ([`names_equal`]).
///
/// ```
/// use portable_sspi_ntlm::AccountIndex;
///
/// let mut rooms = AccountIndex::new();
/// rooms.insert("alice", "CORP", 101);
/// rooms.insert("bob", "", 102);
/// assert_eq!(rooms.find("Alice", "corp"), Some(&101));
/// assert_eq!(rooms.find("alice", "OTHER"), None);
/// assert_eq!(rooms.find("BOB", "any domain"), Some(&102));
/// assert_eq!(rooms.find("alice@corp", ""), Some(&101));
/// ```
pub struct AccountIndex<T> {
    /// By upper-cased user name.
    by_user: HashMap<String, Vec<Entry<T>>>,
}

struct Entry<T> {
    domain_name: String,
    value: T,
}

/// Whether two names of users or domains are the same: compared code unit by code unit, upper-cased as Windows does.
#[must_use]
pub fn names_equal(one: &str, other: &str) -> bool {
    upcase::eq_ignore_case(one, other)
}

impl<T> AccountIndex<T> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self { by_user: HashMap::new() }
    }

    /// Adds an account, in place of the one with the same names, which is returned.
    pub fn insert(&mut self, user_name: &str, domain_name: &str, value: T) -> Option<T> {
        let entries = self.by_user.entry(upcase::to_upper(user_name)).or_default();
        let entry = Entry { domain_name: domain_name.to_owned(), value };
        match entries.iter_mut().find(|entry| names_equal(&entry.domain_name, domain_name)) {
            Some(same) => Some(std::mem::replace(same, entry).value),
            None => {
                entries.push(entry);
                None
            }
        }
    }

    /// The account of exactly this user and domain; an empty domain is one like another.
    #[must_use]
    pub fn get(&self, user_name: &str, domain_name: &str) -> Option<&T> {
        let entries = self.by_user.get(&upcase::to_upper(user_name))?;
        Some(&entries.iter().find(|entry| names_equal(&entry.domain_name, domain_name))?.value)
    }

    /// The account that a client means: that of the domain it names, else one without a domain, else for a client that
    /// names no domain the only account of that user name. A user principal name with an empty domain is also taken
    /// apart at its last `@`.
    ///
    /// # What an attacker controls
    /// Both names.
    #[must_use]
    pub fn find(&self, user_name: &str, domain_name: &str) -> Option<&T> {
        self.find_whole(user_name, domain_name).or_else(|| {
            // A user principal name stays whole in the hash, and is taken apart for finding the account only.
            let (user, domain) = user_name.rsplit_once('@').filter(|_| domain_name.is_empty())?;
            self.find_whole(user, domain)
        })
    }

    /// How many accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_user.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    fn find_whole(&self, user_name: &str, domain_name: &str) -> Option<&T> {
        let entries = self.by_user.get(&upcase::to_upper(user_name))?;
        let in_domain = |domain: &str| entries.iter().find(|entry| names_equal(&entry.domain_name, domain));
        let only_one = match entries.as_slice() {
            [only] if domain_name.is_empty() => Some(only),
            _ => None,
        };
        Some(&in_domain(domain_name).or_else(|| in_domain("")).or(only_one)?.value)
    }
}

impl<T> Default for AccountIndex<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for AccountIndex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountIndex").field("len", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_account_is_found() {
        let mut index = AccountIndex::new();
        assert_eq!(index.insert("user", "A", 1), None);
        assert_eq!(index.insert("user", "B", 2), None);
        assert_eq!(index.find("USER", "b"), Some(&2));
        // Two of the name, and no domain: it is not clear who is meant.
        assert_eq!(index.find("user", ""), None);
        assert_eq!(index.find("user", "C"), None);
        index.insert("user", "", 3);
        assert_eq!(index.find("user", ""), Some(&3));
        assert_eq!(index.find("user", "C"), Some(&3));
        assert_eq!(index.find("user", "A"), Some(&1));
        assert_eq!(index.insert("User", "a", 4), Some(1));
        assert_eq!((index.get("user", "A"), index.get("user", "C")), (Some(&4), None));
        assert_eq!(index.len(), 3);
    }

    #[test]
    fn a_principal_name_is_taken_apart() {
        let mut index = AccountIndex::new();
        index.insert("user", "corp.example", 1);
        index.insert("odd@name", "", 2);
        assert_eq!(index.find("user@CORP.example", ""), Some(&1));
        assert_eq!(index.find("user@corp.example", "CORP"), None);
        assert_eq!(index.find("odd@name", ""), Some(&2));
        assert_eq!(index.find("user@other", ""), None);
    }
}
