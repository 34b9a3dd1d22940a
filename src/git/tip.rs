//! The place that a commit is put onto, and how it moves there.

use super::reason::{Reason, Stop, unwritten};
use git2::{ErrorCode, Oid, Repository};

/// What moves when a commit is made: a branch, HEAD itself, or a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::git) struct Tip {
    /// The reference that moves.
    name: String,
    /// What it is called in answers.
    pub shown: String,
    /// Where it points; none when it does not exist yet.
    target: Option<Oid>,
    /// The commit that comes before, where that is another one.
    parent: Option<Oid>,
}

impl Tip {
    /// What is checked out.
    pub fn of_head(repository: &Repository) -> Result<Self, Stop> {
        let head = repository.find_reference("HEAD")?;
        let Ok(head) = head.resolve() else { return Self::unborn(repository) };
        let name = head.name()?.to_owned();
        let target = head.peel_to_commit()?.id();
        let shown = if name == "HEAD" { "detached HEAD".to_owned() } else { short(&name) };
        Ok(Self { name, shown, target: Some(target), parent: None })
    }

    /// A branch without a commit, which HEAD names.
    fn unborn(repository: &Repository) -> Result<Self, Stop> {
        let mut name = "HEAD".to_owned();
        // A name may lead to another; git follows five.
        for _ in 0..5 {
            match repository.find_reference(&name) {
                Ok(reference) => match reference.symbolic_target()? {
                    Some(target) => target.clone_into(&mut name),
                    None => break,
                },
                Err(error) if error.code() == ErrorCode::NotFound => {
                    let shown = short(&name);
                    return Ok(Self { name, shown, target: None, parent: None });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Reason::UnsupportedFormat.into())
    }

    /// The reference `name`; its first commit comes after what is checked out.
    pub fn of_reference(repository: &Repository, name: &str, head: &Self) -> Result<Self, Stop> {
        let target = match repository.find_reference(name) {
            Ok(reference) => Some(reference.peel_to_commit()?.id()),
            Err(error) if error.code() == ErrorCode::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let parent = if target.is_some() { None } else { head.id() };
        Ok(Self { name: name.to_owned(), shown: name.to_owned(), target, parent })
    }

    /// The commit that a new one comes after.
    pub fn id(&self) -> Option<Oid> {
        self.target.or(self.parent)
    }

    /// Whether this is a reference that does not exist yet although there are commits.
    pub fn is_new(&self) -> bool {
        self.target.is_none() && self.parent.is_some()
    }

    /// The tree of the commit that a new one comes after.
    pub fn tree(&self, repository: &Repository) -> Result<Option<Oid>, Stop> {
        Ok(self.id().map(|id| repository.find_commit(id)).transpose()?.map(|commit| commit.tree_id()))
    }

    /// Whether both are the same place with the same commit.
    pub fn is(&self, other: &Self) -> bool {
        self == other
    }

    /// Moves to `id`, if nothing else has moved it since.
    pub fn advance(&self, repository: &Repository, id: Oid, message: &str) -> Result<(), Stop> {
        let moved = match self.target {
            Some(target) => repository.reference_matching(&self.name, id, true, target, message),
            None => repository.reference(&self.name, id, false, message),
        };
        moved.map(|_| ()).map_err(|error| unwritten(&error))
    }
}

fn short(name: &str) -> String {
    name.strip_prefix("refs/heads/").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::Signature;

    fn commit(repository: &Repository, message: &str, parent: Option<Oid>) -> Oid {
        let author = Signature::now("ann", "ann@example.org").expect("a signature");
        let tree = repository.treebuilder(None).and_then(|builder| builder.write()).expect("a tree");
        let tree = repository.find_tree(tree).expect("found");
        let parent = parent.map(|id| repository.find_commit(id).expect("found"));
        let parents: Vec<_> = parent.iter().collect();
        repository.commit(None, &author, &author, message, &tree, &parents).expect("committed")
    }

    /// Compare and swap: what somebody else has committed meanwhile is never lost.
    #[test]
    fn g6_a_branch_that_moved_meanwhile_is_left_where_it_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository = Repository::init(folder.path()).expect("initialised");
        let unborn = Tip::of_head(&repository).expect("a tip");
        assert_eq!(unborn.id(), None);
        let first = commit(&repository, "first", None);
        unborn.advance(&repository, first, "commit: first").expect("moved");
        let refused = |seen: &Tip, id| {
            let stop = seen.advance(&repository, id, "commit: late").expect_err("must be refused");
            assert!(matches!(stop, Stop::Reason(Reason::RefMoved)), "{stop:?}");
        };
        let late = commit(&repository, "late", None);
        refused(&unborn, late);
        let seen = Tip::of_head(&repository).expect("a tip");
        let theirs = commit(&repository, "theirs", Some(first));
        seen.advance(&repository, theirs, "commit: theirs").expect("moved");
        refused(&seen, late);
        let now = Tip::of_head(&repository).expect("a tip");
        assert!(now.id() == Some(theirs) && !now.is(&seen));
    }
}
